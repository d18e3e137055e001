"""SQLite's and the operating system's errors in our words, in one place."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable, Tampered, TooLarge

_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_UNAVAILABLE = {
    **dict.fromkeys(_LOCKED, "is locked by another process"),
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
    sqlite3.SQLITE_READONLY: "is read-only; let the user that runs this write the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the permissions of the file and of its directory",
    sqlite3.SQLITE_PERM: "cannot be used; check the permissions of the file",
    sqlite3.SQLITE_NOMEM: "cannot be used: out of memory",
    sqlite3.SQLITE_INTERRUPT: "was closed during the call",
}
_PRIMARY_CODE = 0xFF
_RETRY_SECONDS = 1.0


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise the store's error for what SQLite or the operating system raises inside."""
    try:
        yield
    except sqlite3.Error as error:
        known = _of_sqlite(error, path)
        if known is None:
            raise
        raise known from error
    except OSError as error:
        raise _unavailable(path, f"cannot be used: {error.strerror}{_advice(error)}") from error


def _advice(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "; let the user that runs this write the file and its directory"
    return "; mount its file system for writing" if error.errno == errno.EROFS else ""


def is_locked(error: StoreUnavailable) -> bool:
    """Whether another process holds a lock that was needed: nothing was done, and a moment
    later it may be free."""
    return isinstance(error.__cause__, sqlite3.Error) and _code_of(error.__cause__) in _LOCKED


def _code_of(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE


def _of_sqlite(error: sqlite3.Error, path: Path) -> StorePluginError | None:
    """None for what can only be a mistake of ours."""
    code = _code_of(error)
    if code in _UNAVAILABLE:
        return _unavailable(path, _UNAVAILABLE[code])
    if code == sqlite3.SQLITE_NOTADB:
        return not_ours(path)
    if code == sqlite3.SQLITE_CORRUPT:
        return Tampered(f"the file {path} is damaged; restore it from a backup")
    if code == sqlite3.SQLITE_TOOBIG:
        return TooLarge("the secret is larger than the file format can hold")
    return None


def not_ours(path: Path) -> ConfigInvalid:
    """What is there was not made by this store: never written over."""
    return ConfigInvalid(f"{path} is no file of this store; move it away or name another path")


def _unavailable(path: Path, what: str) -> StoreUnavailable:
    return StoreUnavailable(f"the file {path} {what}", retry_after=_RETRY_SECONDS)
