"""The store's calls as plain functions of one thread: open the file, prove the keys, read
and write rows. Opens on first use, and again where the file was moved away or replaced."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from store_plugin.errors import ConfigInvalid, Conflict, StorePluginError, Tampered
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Logger
from stores.local.cipher import Box, KeyRing, NotAuthentic, Place, WrongKey
from stores.local.faults import translated
from stores.local.file import directory_warnings, identity, open_file
from stores.local.records import Sealer, rows_of
from stores.local.rows import Rows


class Session:
    """One connection and the keys proven to open its file.

    `wanted` is the ring the config asks for now, set from any thread. A ring that does not
    open the file is refused: where one before it does, work goes on with that one and
    `problem` says why.
    """

    def __init__(self, path: Path, ring: KeyRing, log: Logger) -> None:
        self.path = path
        self.wanted = ring
        self.problem: StorePluginError | None = None
        self._log = log
        self._rows: Rows | None = None
        self._identity: tuple[int, int] | None = None
        self._tried: KeyRing | None = None
        self._proven: KeyRing = ring

    def open(self) -> None:
        """Nothing where it is open already."""
        with self._using():
            pass

    def read(self, name: ScopedName) -> StoredSecret:
        with self._using(name) as rows:
            return self._sealer(rows).stored(name, rows.of(str(name)))

    def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version:
        with self._using(name) as rows, rows.transaction():
            current = _check_base(rows, name, base)
            version = rows.next_version(above=current or 0)
            own, changed = self._sealer(rows).sealed(name, secret, version, base)
            rows.remove_values(str(name), rows_of(base).keys() - secret.data.keys())
            rows.put_values(str(name), changed)
            rows.put_secret(str(name), own)
        return Version(str(version))

    def delete(self, name: ScopedName, base: StoredSecret) -> None:
        with self._using(name) as rows, rows.transaction():
            _check_base(rows, name, base)
            rows.remove(str(name))

    def names(self, after: str, before: str, most: int) -> list[str]:
        """At most `most` names between two, in order."""
        with self._using() as rows:
            return rows.names(after, before, most)

    def check(self, key_paths: Sequence[str]) -> list[str]:
        """Prove that the file can be written; what its owner should know. Reads the key id
        of every row. ConfigInvalid where the keys wanted now do not open the file."""
        with self._using() as rows:
            with rows.transaction():
                pass
            if self.problem:
                raise self.problem
            used = rows.key_ids_in_use()
            keys = list(zip(key_paths, self._proven.ids, strict=True))[1:]
            unused = [
                f"{path} seals nothing any more; remove it" for path, key_id in keys if key_id not in used
            ]
            return unused + directory_warnings(self.path.parent)

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
        self._rows = self._tried = None

    @contextmanager
    def _using(self, name: ScopedName | None = None) -> Iterator[Rows]:
        """The rows of the open file, and everything that can go wrong in our words."""
        with translated(self.path):
            rows = self._current()
            try:
                yield rows
            except NotAuthentic:
                raise Tampered(f"secret {name} in {self.path} fails its integrity check") from None
            except WrongKey as wrong:
                raise self._without_key(rows, name, wrong.key_id) from None

    def _current(self) -> Rows:
        found = identity(self.path)
        if self._rows is not None and found != self._identity:
            if self._identity is not None:
                self._log.warning("the file was moved away or replaced, opening what is there now")
            self.close()
        if self._rows is None:
            rows = Rows(open_file(self.path))
            try:
                self._prove(rows, self.wanted)
            except BaseException:
                rows.close()
                raise
            # What was found before opening: a file put there since is noticed by the next call.
            self._rows, self._identity = rows, found
        elif self._tried is not self.wanted:
            self._change_ring(self._rows, self.wanted)
        return self._rows

    def _change_ring(self, rows: Rows, ring: KeyRing) -> None:
        try:
            self._prove(rows, ring)
        except ConfigInvalid as error:
            self._tried, self.problem = ring, error
            self._log.warning("new keys refused, the ones before stay in use", reason=error.message)

    def _prove(self, rows: Rows, ring: KeyRing) -> None:
        """Take the ring into use where it opens this file, else ConfigInvalid or Tampered."""
        if ring.sealing_id not in self._checked(rows, ring):
            with rows.transaction():
                self._checked(rows, ring)
                rows.add_key_check(ring.seal(b"", _key_check(rows)))
        self._tried = self._proven = ring
        self.problem = None

    def _checked(self, rows: Rows, ring: KeyRing) -> dict[bytes, bytes]:
        checks = rows.key_checks()
        known = [key_id for key_id in ring.ids if key_id in checks]
        if checks and not known:
            raise ConfigInvalid(
                f"the key does not open {self.path}: it was sealed with another one; where the key was "
                "changed, list the one before it under olderKeys"
            )
        try:
            for key_id in known:
                ring.open(Box(key_id, checks[key_id]), _key_check(rows))
        except NotAuthentic:
            raise Tampered(f"the key check in {self.path} fails its integrity check") from None
        return checks

    def _without_key(self, rows: Rows, name: ScopedName | None, key_id: bytes) -> StorePluginError:
        if key_id in rows.key_checks():
            return ConfigInvalid(
                f"secret {name} in {self.path} is sealed with a key that this config does not list; "
                "list it under olderKeys"
            )
        return Tampered(f"secret {name} in {self.path} fails its integrity check")

    def _sealer(self, rows: Rows) -> Sealer:
        return Sealer(self._proven, rows.file_id)


def _key_check(rows: Rows) -> Place:
    return Place(rows.file_id, "key-check")


def _check_base(rows: Rows, name: ScopedName, base: StoredSecret) -> int | None:
    """The current version. Conflict where it is not the one of `base`."""
    current = rows.version_of(str(name))
    if current != (int(base.version) if base.version is not None else None):
        raise Conflict(f"secret {name} has changed since it was read")
    return current
