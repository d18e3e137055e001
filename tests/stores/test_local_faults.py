"""Every result code of SQLite has its place: an error of ours, or a bug on purpose."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable, Tampered, TooLarge
from stores.local.faults import is_locked, translated

TRANSLATED = {
    "BUSY": StoreUnavailable,
    "CANTOPEN": StoreUnavailable,
    "CORRUPT": Tampered,
    "FULL": StoreUnavailable,
    "INTERRUPT": StoreUnavailable,
    "IOERR": StoreUnavailable,
    "LOCKED": StoreUnavailable,
    "NOMEM": StoreUnavailable,
    "NOTADB": ConfigInvalid,
    "PERM": StoreUnavailable,
    "PROTOCOL": StoreUnavailable,
    "READONLY": StoreUnavailable,
    "TOOBIG": TooLarge,
}
OUR_MISTAKES = (
    *("ABORT", "AUTH", "CONSTRAINT", "EMPTY", "ERROR", "FORMAT", "INTERNAL", "MISMATCH", "MISUSE"),
    *("NOLFS", "NOTFOUND", "RANGE", "SCHEMA"),
)
LAST_ERROR_CODE = sqlite3.SQLITE_NOTADB


def raised(error: Exception) -> Exception:
    with pytest.raises(Exception) as caught, translated(Path("/data/secrets.db")):
        raise error
    return caught.value


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("detail")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_result_code_has_its_error(name: str) -> None:
    error = raised(sqlite_error(code_of(name)))
    assert type(error) is TRANSLATED[name]
    assert name == "TOOBIG" or "/data/secrets.db" in str(error)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.EACCES, "; let the user that runs this write the file and its directory"),
        (errno.EROFS, "; mount its file system for writing"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(code: int, advice: str) -> None:
    error = raised(OSError(code, os.strerror(code)))
    assert isinstance(error, StoreUnavailable)
    assert error.message.endswith(advice)


@pytest.mark.parametrize("name", OUR_MISTAKES)
def test_what_only_a_mistake_of_ours_can_raise_stays_a_bug(name: str) -> None:
    error = sqlite_error(code_of(name))
    assert raised(error) is error


def test_every_error_code_of_sqlite_is_decided() -> None:
    decided = {code_of(name) for name in (*TRANSLATED, *OUR_MISTAKES)}
    assert decided == set(range(1, LAST_ERROR_CODE + 1))


@pytest.mark.parametrize("name", TRANSLATED)
def test_only_a_lock_of_another_process_is_worth_another_attempt(name: str) -> None:
    error = raised(sqlite_error(code_of(name)))
    locked = isinstance(error, StoreUnavailable) and is_locked(error)
    assert locked == (name in {"BUSY", "LOCKED", "PROTOCOL"})
    assert not is_locked(StoreUnavailable("the file is locked by another process"))


def code_of(name: str) -> int:
    return getattr(sqlite3, f"SQLITE_{name}")


def test_extended_codes_count_as_their_primary_code() -> None:
    assert isinstance(raised(sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)), StoreUnavailable)
    assert isinstance(raised(sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT)), StoreUnavailable)


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")]
)
def test_an_error_of_the_system_is_unavailable(error: OSError) -> None:
    assert isinstance(raised(error), StoreUnavailable)
    assert str(error.strerror) in str(raised(error))


def test_errors_of_ours_pass() -> None:
    error = StorePluginError("as it is")
    assert raised(error) is error
