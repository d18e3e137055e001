"""The token that callers of a socket must show, read from a file that may rotate."""

import hmac
import time
from pathlib import Path

from store_plugin.errors import InvalidRequest
from store_plugin.store import Logger

_LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""


class TokenFile:
    """The file's token, re-read after the file changed; a file that vanishes or empties
    leaves the last token in force."""

    def __init__(self, path: Path, log: Logger) -> None:
        self._path = path
        self._log = log
        self._next_look = 0.0
        self._problem = ""
        self._token = self._read()

    def matches(self, shown: str) -> bool:
        """Whether `shown` is the token; takes the same time whatever it is."""
        self._refresh()
        return hmac.compare_digest(shown.strip().encode(), self._token)

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY
        try:
            self._token, problem = self._read(), ""
        except InvalidRequest as error:
            problem = error.message
        if problem and problem != self._problem:  # told once, until it can be read
            self._log.warning("client token not renewed, the last one stays in force", problem=problem)
        self._problem = problem

    def _read(self) -> bytes:
        try:
            token = self._path.read_bytes().strip()
        except OSError as error:
            raise InvalidRequest(
                f"--client-token-file {self._path} cannot be read: {error.strerror}"
            ) from None
        if not token:
            raise InvalidRequest(f"--client-token-file {self._path} is empty")
        return token
