"""The catalog: which versions of which plugins are registered, and which one of each is to run.

SQLite, because several processes write it (the sidecar and commands) and any of them may be
killed at any time: a change is whole or has not happened, and of two writers one waits.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from store_plugin.errors import AlreadyRegistered, PluginNotFound, StoreUnavailable, Tampered
from store_plugin.lifecycle.registration import Registration

BUSY_SECONDS = 10.0
"""Longest wait for another writer."""
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE versions (
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  registration TEXT NOT NULL,
  PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE TABLE plugins (
  name TEXT PRIMARY KEY,
  enabled TEXT NOT NULL,
  previous TEXT,
  FOREIGN KEY (name, enabled) REFERENCES versions (name, version)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Enabled:
    """What is to run of one plugin. `previous` is what was to run before, as long as this version has
    never been ready: what to go back to."""

    registration: Registration
    previous: Registration | None


Confirm: TypeAlias = Callable[[], object]
"""Called when a change is sure to be possible, before it is in force. What it raises undoes it."""


def _unconfirmed() -> None:
    """Nobody has to know."""


class Catalog:
    """One file. Each call opens and closes it; blocking."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def register(self, registration: Registration, confirm: Confirm = _unconfirmed) -> None:
        """Add a version. AlreadyRegistered where that version is there: versions do not change."""
        with self._changing(confirm) as db:
            try:
                db.execute(
                    "INSERT INTO versions VALUES (?, ?, ?)",
                    (registration.name, registration.version, registration.model_dump_json(by_alias=True)),
                )
            except sqlite3.IntegrityError:
                raise AlreadyRegistered(
                    f"plugin {registration.name} {registration.version} is registered; give what differs "
                    "another version"
                ) from None

    def deregister(
        self, name: str, versions: Iterable[str], confirm: Confirm = _unconfirmed
    ) -> list[Registration]:
        """Take versions out, all or none of them, and return what they were. PluginNotFound;
        AlreadyRegistered where one is enabled."""
        with self._changing(confirm) as db:
            found = [self._version(db, name, version) for version in versions]
            enabled = self._enabled_version(db, name)
            for one in found:
                if one.version == enabled:
                    raise AlreadyRegistered(f"plugin {name} {enabled} is enabled: disable it first")
                db.execute("DELETE FROM versions WHERE name = ? AND version = ?", (name, one.version))
            return found

    def enable(self, name: str, version: str, confirm: Confirm = _unconfirmed) -> str | None:
        """Have this version run from now on; returns the one that did. PluginNotFound."""
        with self._changing(confirm) as db:
            self._version(db, name, version)
            before, previous = self._enabled_versions(db, name)
            if before != version:
                back = previous or before  # a version that was never ready is nothing to go back to
                row = (name, version, back if back != version else None)
                db.execute("INSERT OR REPLACE INTO plugins VALUES (?, ?, ?)", row)
            return before

    def proved(self, name: str, version: str) -> None:
        """It has been ready: there is nothing to go back to any more, if it is the one to run."""
        with self._changing(_unconfirmed) as db:
            db.execute("UPDATE plugins SET previous = NULL WHERE name = ? AND enabled = ?", (name, version))

    def roll_back(self, name: str, failed: str, to: str) -> bool:
        """Have `to` run instead of `failed`; False where something else is asked for by now, and
        nothing has changed. PluginNotFound where `to` is registered no more."""
        with self._changing(_unconfirmed) as db:
            if self._enabled_version(db, name) != failed:
                return False
            self._version(db, name, to)
            db.execute("UPDATE plugins SET enabled = ?, previous = NULL WHERE name = ?", (to, name))
            return True

    def disable(self, name: str, confirm: Confirm = _unconfirmed) -> str:
        """Have none run; returns the version that did. PluginNotFound where none was to."""
        with self._changing(confirm) as db:
            version = self._enabled_version(db, name)
            if version is None:
                raise PluginNotFound(f"plugin {name} is not enabled")
            db.execute("DELETE FROM plugins WHERE name = ?", (name,))
            return version

    def versions(self, name: str | None = None) -> list[Registration]:
        """All that are registered, of one plugin or of all, by name and time."""
        with self._reading() as db:
            rows = db.execute("SELECT registration FROM versions WHERE ? IS NULL OR name = ?", (name, name))
            found = [_registration(text) for (text,) in rows]
        return sorted(found, key=lambda one: (one.name, one.registered_at))

    def version(self, name: str, version: str) -> Registration:
        """One version. PluginNotFound."""
        with self._reading() as db:
            return self._version(db, name, version)

    def enabled(self) -> dict[str, Enabled]:
        """What is to run, by name."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT now.registration, back.registration FROM plugins "
                "JOIN versions AS now ON plugins.name = now.name AND plugins.enabled = now.version "
                "LEFT JOIN versions AS back ON plugins.name = back.name AND plugins.previous = back.version"
            ).fetchall()
        found = [Enabled(_registration(now), _registration(back) if back else None) for now, back in rows]
        return {one.registration.name: one for one in found}

    def replace_all(
        self, registrations: list[Registration], enabled: dict[str, str], confirm: Confirm = _unconfirmed
    ) -> None:
        """Have exactly this, as an import says. PluginNotFound for an enabled version that is not
        among the registrations."""
        with self._changing(confirm) as db:
            db.execute("DELETE FROM plugins")
            db.execute("DELETE FROM versions")
            db.executemany(
                "INSERT INTO versions VALUES (?, ?, ?)",
                [(one.name, one.version, one.model_dump_json(by_alias=True)) for one in registrations],
            )
            for name, version in enabled.items():
                self._version(db, name, version)
                db.execute("INSERT INTO plugins VALUES (?, ?, NULL)", (name, version))

    def _version(self, db: sqlite3.Connection, name: str, version: str) -> Registration:
        row = db.execute(
            "SELECT registration FROM versions WHERE name = ? AND version = ?", (name, version)
        ).fetchone()
        if row is None:
            raise PluginNotFound(
                f"plugin {name} has no registered version {version}: see 'store-plugin plugin available'"
            )
        return _registration(row[0])

    def _enabled_version(self, db: sqlite3.Connection, name: str) -> str | None:
        return self._enabled_versions(db, name)[0]

    def _enabled_versions(self, db: sqlite3.Connection, name: str) -> tuple[str | None, str | None]:
        """The version to run, and the one to go back to."""
        found = db.execute("SELECT enabled, previous FROM plugins WHERE name = ?", (name,)).fetchone()
        return found or (None, None)

    @contextmanager
    def _changing(self, confirm: Confirm) -> Iterator[sqlite3.Connection]:
        """A transaction with the right to write from its beginning."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                confirm()
            except BaseException:
                if db.in_transaction:  # SQLite has undone it already where the disk is full
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as db:
            yield db

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            _create(self._file)
            db = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                _prepare(db, self._file)
                yield db
            finally:
                db.close()
        except sqlite3.DatabaseError as error:
            raise _typed(error, self._file) from None


def _create(file: Path) -> None:
    """The owner's alone from the first moment: SQLite itself would go by the umask. Nobody is followed
    to another place."""
    try:
        os.close(os.open(file, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be used: {error.strerror}") from None


def _prepare(db: sqlite3.Connection, file: Path) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = FULL")
    if db.execute("PRAGMA user_version").fetchone()[0] == _SCHEMA_VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    db.execute("COMMIT")
    if version > _SCHEMA_VERSION:
        raise StoreUnavailable(f"{file} was written by a newer version of store-plugin")


def _registration(text: str) -> Registration:
    try:
        return Registration.model_validate_json(text)
    except ValidationError:
        raise Tampered("the catalog holds a registration that cannot be read") from None


def _typed(error: sqlite3.DatabaseError, file: Path) -> StoreUnavailable | Tampered:
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreUnavailable(
            f"another process has been changing {file} for {BUSY_SECONDS:g} s", retry_after=1.0
        )
    if "malformed" in text or "not a database" in text:
        return Tampered(f"{file} is damaged: restore it, or import an export")
    return StoreUnavailable(f"{file} cannot be used: {text}")


def now() -> datetime:
    """The time that registrations carry, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
