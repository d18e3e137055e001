"""Files as several processes change them: one at a time, and each file as a whole, so that a reader
finds the old one or the new one and never half of one."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from store_plugin.errors import StoreUnavailable

TURN_SECONDS = 60.0
"""Longest wait for the turn of another process."""
_LOOK_SECONDS = 0.02


@contextmanager
def turn(directory: Path) -> Iterator[None]:
    """Hold the turn of all who change what is in a directory; the end of the process gives it back.
    StoreUnavailable where somebody keeps it. Does not nest. Blocking."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreUnavailable(f"{directory} cannot be used: {error.strerror}") from None
    try:
        give_up = time.monotonic() + TURN_SECONDS
        while not _locked(descriptor):
            if time.monotonic() > give_up:
                raise StoreUnavailable(
                    f"another process has been changing {directory} for {TURN_SECONDS:g} s", retry_after=1.0
                )
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def replace_file(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Write `content` in the place of `file`, on the disk when this returns. StoreUnavailable. A reader
    finds the old content or the new one then. Blocking."""
    draft = file.with_name(f".{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        draft.chmod(mode)
        draft.replace(file)
        settle(file.parent)
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):  # gone, or never there: a file system may be read-only
            draft.unlink()


def remove_file(file: Path) -> None:
    """Delete it, so that it does not come back when the power fails. StoreUnavailable. Blocking."""
    try:
        file.unlink(missing_ok=True)
        settle(file.parent)
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be deleted: {error.strerror}") from None


def settle(directory: Path) -> None:
    """Have the disk know which files are in it now: syncing a file does not do that. OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
