"""The bearer token that a client shows, re-read when its file changes.

Mounted tokens are rotated in place by the kubelet, so a token read once would end up
expired. Looking whether the file is still the same costs one stat per call.
"""

from pathlib import Path
from typing import Protocol

from store_plugin.errors import CallerUnknown, InvalidRequest


class Token(Protocol):
    """Where a token comes from."""

    def current(self) -> str:
        """The token to send now. CallerUnknown where there is none to be had."""
        ...


class FixedToken:
    """A token that does not change."""

    def __init__(self, token: str) -> None:
        self._token = _checked(token.strip(), "the token")

    def current(self) -> str:
        return self._token


class FileToken:
    """The token in a file, without the white space around it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, ...], str] | None = None

    def current(self) -> str:
        """One assignment replaces stamp and token together, so threads need no lock."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if self._read is None or self._read[0] != stamp:
                token = _checked(self._path.read_text("ascii").strip(), f"the token in {self._path}")
                self._read = stamp, token
            return self._read[1]
        except OSError as error:
            raise CallerUnknown(f"cannot read the token file {self._path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CallerUnknown(f"the token in {self._path} is not ASCII text") from None


def token_from(token: str | None, token_file: str | Path | None) -> Token | None:
    """The token that the options name, if any."""
    if token is not None and token_file is not None:
        raise InvalidRequest("give either a token or a token file, not both")
    if token is not None:
        return FixedToken(token)
    return FileToken(Path(token_file)) if token_file is not None else None


def _checked(token: str, what: str) -> str:
    """`token` if it can travel in a header; the message never shows it."""
    if not token:
        raise CallerUnknown(f"{what} is empty")
    if not all(" " < character <= "~" for character in token):
        raise CallerUnknown(f"{what} holds characters that a header cannot carry")
    return token
