"""Executables by their SHA-256: copied in once, read-only, never run from where they came.

A file is written beside its place and renamed into it when its digest is known, so what is
there is whole, and installing it twice is installing it once.
"""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from store_plugin.errors import InvalidRequest, StoreUnavailable, TooLarge
from store_plugin.lifecycle.files import remove_file, settle
from store_plugin.trust import MAX_EXECUTABLE_BYTES, is_digest

_CHUNK = 1024 * 1024
_COPY = re.compile(r"\.[0-9a-f]{16}\Z")
"""What is being copied in is named so."""


class ContentStore:
    """A directory of executables. Blocking."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, source: Path) -> str:
        """Copy a file in; returns its digest. InvalidRequest where it is no regular file or cannot
        be read, TooLarge, StoreUnavailable where it cannot be written."""
        with _opened(source) as file:
            return self._take(file)

    def path(self, digest: str) -> Path:
        """Where the executable is, whether it is there or not. InvalidRequest for what is no digest."""
        if not is_digest(digest):
            raise InvalidRequest(f"{digest[:80]!r} is no SHA-256 digest")
        return self._directory / digest

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def digests(self) -> list[str]:
        """All there are."""
        return sorted(path.name for path in self._directory.iterdir() if is_digest(path.name))

    def remove(self, digest: str) -> None:
        """Delete an executable; nothing where there is none. StoreUnavailable."""
        remove_file(self.path(digest))

    def sweep(self) -> None:
        """Delete copies that somebody was killed over. Its caller holds the turn of the directory, so
        nobody is at one now."""
        for path in self._directory.iterdir():
            if _COPY.match(path.name):
                path.unlink(missing_ok=True)

    def _take(self, file: BinaryIO) -> str:
        temporary = self._directory / f".{secrets.token_hex(8)}"
        try:
            digest = _copied(file, temporary)
            temporary.chmod(0o500)
            temporary.rename(self._directory / digest)
            settle(self._directory)
        except OSError as error:
            raise StoreUnavailable(f"the executable cannot be kept: {error.strerror}") from None
        finally:
            with suppress(OSError):  # gone, or never there: a file system may be read-only
                temporary.unlink()
        return digest


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    try:
        # Symbolic links are followed: what counts is the digest of what was read.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidRequest(f"{source} cannot be read: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidRequest(f"{source} is not a file")
        if found.st_size > MAX_EXECUTABLE_BYTES:
            raise TooLarge(f"{source} is {found.st_size} bytes; at most {MAX_EXECUTABLE_BYTES} are taken")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _copied(file: BinaryIO, target: Path) -> str:
    """The digest of what was written, which is what was read, whoever changes the source."""
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as copy:
        total = 0
        while chunk := file.read(_CHUNK):
            total += len(chunk)
            if total > MAX_EXECUTABLE_BYTES:
                raise TooLarge(f"the file grew above {MAX_EXECUTABLE_BYTES} bytes while it was read")
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()
