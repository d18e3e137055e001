"""A secret as sealed rows: one row per value, and one of its own that holds its metadata
and the list of its values with their versions. A value row that was removed, moved or
rolled back does not agree with that list.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from stores.local.cipher import KeyRing, NotAuthentic, Place
from stores.local.rows import Row

Kept = Mapping[str, Row]
"""The value rows that a secret was read from: `StoredSecret.raw`."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Opens and seals the rows of one file."""

    ring: KeyRing
    file_id: bytes

    def stored(self, name: ScopedName, rows: Sequence[Row]) -> StoredSecret:
        """What the rows of a name hold. NotAuthentic, WrongKey."""
        if not rows:
            return ABSENT
        own = [row for row in rows if row.key is None]
        if len(own) != 1:
            raise NotAuthentic
        values = {row.key: row for row in rows if row.key is not None}
        metadata, versions = _parsed(self._opened(name, own[0]))
        if versions != {key: row.version for key, row in values.items()}:
            raise NotAuthentic
        data = {key: self._opened(name, row) for key, row in values.items()}
        version = Version(str(own[0].version))
        return StoredSecret(Presence.PRESENT, Secret(data, metadata), version, raw=values)

    def sealed(
        self, name: ScopedName, secret: Secret, version: int, base: StoredSecret
    ) -> tuple[Row, list[Row]]:
        """The secret's own row, and the value rows to write. A value that equals the one of
        `base` keeps its row, unless an older key sealed that."""
        kept = self._kept(secret, base)
        changed = [
            self._sealed(name, key, version, value) for key, value in secret.data.items() if key not in kept
        ]
        versions = dict.fromkeys(secret.data, version) | {key: row.version for key, row in kept.items()}
        contents = json.dumps([dict(secret.metadata), versions]).encode()
        return self._sealed(name, None, version, contents), changed

    def _kept(self, secret: Secret, base: StoredSecret) -> dict[str, Row]:
        return {
            key: row
            for key, row in rows_of(base).items()
            if secret.data.get(key) == base.secret.data[key] and row.box.key_id == self.ring.sealing_id
        }

    def _opened(self, name: ScopedName, row: Row) -> bytes:
        return self.ring.open(row.box, self._place(name, row.key, row.version))

    def _sealed(self, name: ScopedName, key: str | None, version: int, value: bytes) -> Row:
        return Row(key, version, self.ring.seal(value, self._place(name, key, version)))

    def _place(self, name: ScopedName, key: str | None, version: int) -> Place:
        kind = "secret" if key is None else "value"
        return Place(self.file_id, kind, str(name), key or "", version)


def rows_of(base: StoredSecret) -> Kept:
    """The value rows that a secret was read from; none for an absent one."""
    return base.raw if isinstance(base.raw, Mapping) else {}


def _parsed(contents: bytes) -> tuple[dict[str, str], dict[str, int]]:
    metadata, versions = json.loads(contents)
    return metadata, versions
