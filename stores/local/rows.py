"""All SQL about secrets. Knows rows and transactions, neither keys nor rules."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from store_plugin.errors import Tampered
from stores.local.cipher import Box, NotAuthentic

ColumnT = TypeVar("ColumnT")

_READ = """
SELECT NULL, version, key_id, sealed FROM secret WHERE name = ?1
UNION ALL
SELECT key, version, key_id, sealed FROM value WHERE name = ?1
"""
_TABLES = {"file", "key_check", "secret", "value"}
_MOST_VERSIONS = 2**62
_NAMES_BELOW = "SELECT name FROM secret WHERE name > ?1 AND name < ?2 ORDER BY name LIMIT ?3"


@dataclass(frozen=True, slots=True)
class Row:
    """A sealed row: of a secret itself (`key` is None) or of one of its values."""

    key: str | None
    version: int
    box: Box


class Rows:
    """The tables of an open file. Used by one thread only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._check_tables()
        self.file_id = self._from_file("id", bytes)

    def of(self, name: str) -> list[Row]:
        """All rows of a secret, of one moment: a single statement reads them."""
        return [_row(*found) for found in self._connection.execute(_READ, (name,))]

    def version_of(self, name: str) -> int | None:
        found = self._connection.execute("SELECT version FROM secret WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def names(self, after: str, before: str, most: int) -> list[str]:
        found = self._connection.execute(_NAMES_BELOW, (after, before, most))
        return [name for (name,) in found]

    def key_checks(self) -> dict[bytes, bytes]:
        """What proves each key that this file was ever sealed with, by the key's id."""
        return dict(self._connection.execute("SELECT key_id, sealed FROM key_check").fetchall())

    def key_ids_in_use(self) -> set[bytes]:
        found = self._connection.execute("SELECT key_id FROM secret UNION SELECT key_id FROM value")
        return {key_id for (key_id,) in found}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One writer at a time among all processes; all of it or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def next_version(self, above: int) -> int:
        """From one counter of the whole file, so that a secret created anew never gets a
        version that an earlier one of its name had. Also where the counter was turned back
        it is larger than `above`."""
        version = max(self._from_file("last_version", int), above) + 1
        if version > _MOST_VERSIONS:
            raise Tampered("the file's version counter is damaged; restore the file from a backup")
        self._connection.execute("UPDATE file SET last_version = ?", (version,))
        return version

    def add_key_check(self, box: Box) -> None:
        self._connection.execute("INSERT OR IGNORE INTO key_check VALUES (?, ?)", (box.key_id, box.sealed))

    def put_secret(self, name: str, row: Row) -> None:
        values = (name, row.version, row.box.key_id, row.box.sealed)
        self._connection.execute("INSERT OR REPLACE INTO secret VALUES (?, ?, ?, ?)", values)

    def put_values(self, name: str, rows: Iterable[Row]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO value VALUES (?, ?, ?, ?, ?)",
            ((name, row.key, row.version, row.box.key_id, row.box.sealed) for row in rows),
        )

    def remove_values(self, name: str, keys: Iterable[str]) -> None:
        self._connection.executemany(
            "DELETE FROM value WHERE name = ? AND key = ?", ((name, key) for key in keys)
        )

    def remove(self, name: str) -> None:
        self._connection.execute("DELETE FROM value WHERE name = ?", (name,))
        self._connection.execute("DELETE FROM secret WHERE name = ?", (name,))

    def close(self) -> None:
        self._connection.close()

    def _check_tables(self) -> None:
        found = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if _TABLES - {name for (name,) in found}:
            raise Tampered("tables of the file are missing; restore the file from a backup")

    def _from_file(self, column: str, kind: type[ColumnT]) -> ColumnT:
        found = self._connection.execute(f"SELECT {column} FROM file").fetchone()  # noqa: S608
        if found is None or not isinstance(found[0], kind):
            raise Tampered("the file's own row is damaged; restore the file from a backup")
        return found[0]


def _row(key: object, version: object, key_id: object, sealed: object) -> Row:
    """SQLite keeps any type in any column; other types than ours are a changed file's."""
    if (
        isinstance(key, str | None)
        and isinstance(version, int)
        and isinstance(key_id, bytes)
        and isinstance(sealed, bytes)
    ):
        return Row(key, version, Box(key_id, sealed))
    raise NotAuthentic
