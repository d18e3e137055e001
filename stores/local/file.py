"""The SQLite file: made whole or not at all, for its owner's eyes, durable once written.

A new file is prepared beside its path and linked into place, so that a crash never leaves
half a file and two processes never make two. It is never opened by any other means than
SQLite's: closing a descriptor of one's own would drop the locks of other connections of
the process (POSIX locks belong to the process).
"""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from store_plugin.errors import ConfigInvalid
from stores.local.faults import not_ours

FILE_ID_BYTES = 16
_APPLICATION_ID = 0x53504C53
_SCHEMA_VERSION = 1
_OWNER_ONLY = 0o600
_OTHERS_WRITE = 0o022
_OTHERS_READ = 0o004

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE file (
  row INTEGER PRIMARY KEY CHECK (row = 1),
  id BLOB NOT NULL,
  last_version INTEGER NOT NULL
);
CREATE TABLE key_check (key_id BLOB PRIMARY KEY NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE secret (
  name TEXT PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  key_id BLOB NOT NULL,
  sealed BLOB NOT NULL
);
CREATE TABLE value (
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  version INTEGER NOT NULL,
  key_id BLOB NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (name, key)
);
"""


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the file, made where it is missing. ConfigInvalid where the path
    cannot be or is no file of this store; else SQLite's and the system's own errors."""
    _check_path(path)
    if not path.exists():
        _make(path)
    connection = _connect(path)
    try:
        _check_format(connection, path)
        _narrow_mode(path)
    except BaseException:
        connection.close()
        raise
    return connection


def identity(path: Path) -> tuple[int, int] | None:
    """Tells whether the path still leads to the same file; None: to none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def directory_warnings(directory: Path) -> list[str]:
    """What others can do in the file's directory."""
    mode = directory.stat().st_mode
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        return [
            f"other users can write the directory {directory}, so they can replace the file; use mode 0700"
        ]
    if mode & _OTHERS_READ:
        return [f"every user of this machine can list the directory {directory}; use mode 0700"]
    return []


def _check_path(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigInvalid(f"the directory {path.parent} does not exist; create it or name another path")
    if path.exists() and not path.is_file():
        raise ConfigInvalid(f"{path} is not a file; name the file, not its directory")


def _make(path: Path) -> None:
    """Prepare an empty store under another name and link it; another process may win."""
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}.new")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
        with closing(_connect(draft)) as connection:
            _fill(connection)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        _sync_directory(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _fill(connection: sqlite3.Connection) -> None:
    connection.executescript(_SCHEMA)
    connection.execute("INSERT INTO file VALUES (1, ?, 0)", (os.urandom(FILE_ID_BYTES),))
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")


def _sync_directory(directory: Path) -> None:
    """Without this a loss of power may take the new file's entry, and so all in it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(path: Path) -> sqlite3.Connection:
    # No waiting for locks here: all calls of a store share one thread.
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, timeout=0.0, isolation_level=None
    )
    # A tampered text need not be UTF-8; it is found by its seal, not by its spelling.
    connection.text_factory = _decoded
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != _APPLICATION_ID:
        raise not_ours(path)
    if version != _SCHEMA_VERSION:
        raise ConfigInvalid(
            f"{path} has format {version}, this version of store-plugin knows format {_SCHEMA_VERSION}; "
            "use the version that wrote it, or a newer one"
        )


def _narrow_mode(path: Path) -> None:
    """SQLite gives its -wal and -shm files the mode of the file."""
    found = path.stat()
    if stat.S_IMODE(found.st_mode) != _OWNER_ONLY and found.st_uid == os.geteuid():
        path.chmod(_OWNER_ONLY)
