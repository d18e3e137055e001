"""A store without a service, so that everything above stores can be tested without one.

It does what its `Capabilities` say and no more, so that one double stands for every kind
of service: with and without compare-and-set, versions, tombstones, conditional delete.
Nothing in it depends on time or chance.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from store_plugin.errors import Conflict, VersionNotFound
from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities

DEFAULT_CAPABILITIES = Capabilities(compare_and_set=True, conditional_delete=True, listing=True)


class MemoryData:
    """What is stored. Several `MemoryStore`s over one are several processes at one service."""

    def __init__(self, place: str = "memory") -> None:
        self.place = place
        self._history: dict[ScopedName, list[_Revision]] = {}
        self._last_number = 0

    def history(self, name: ScopedName) -> list["_Revision"]:
        return self._history.get(name, [])

    def append(self, name: ScopedName, secret: Secret | None) -> "_Revision":
        """Add a revision; None: a tombstone, which ends all versions before it. Numbers
        never come back, not even after a removal."""
        self._last_number += 1
        revision = _Revision(self._last_number, secret)
        kept = self.history(name) if secret else []
        self._history[name] = [*kept, revision]
        return revision

    def remove(self, name: ScopedName) -> None:
        self._history.pop(name, None)

    def present(self) -> list[ScopedName]:
        found = [name for name, history in self._history.items() if history[-1].secret is not None]
        return sorted(found, key=str)


class MemoryStore:
    """A `Store` over `MemoryData`. Each call gives other tasks a turn before it works, so
    that readers and writers interleave as they do over a network."""

    def __init__(
        self, data: MemoryData | None = None, capabilities: Capabilities = DEFAULT_CAPABILITIES
    ) -> None:
        self.data = data or MemoryData()
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def location(self, name: ScopedName) -> str:
        return f"{self.data.place}/{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        """What is stored now, or was at `version`; VersionNotFound where that is unknown."""
        await asyncio.sleep(0)
        if version is None:
            return self._latest(name)
        for revision in self.data.history(name):
            if revision.version == version and revision.secret is not None:
                return self._shown(revision)
        raise VersionNotFound(f"secret {name} has no version {version}")

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        """Replace the secret; Conflict where it is no longer `base` (with compare-and-set)."""
        await asyncio.sleep(0)
        if self._capabilities.compare_and_set:
            self._check_base(name, base)
        kept = secret.metadata if self._capabilities.metadata else {}
        stored = Secret(dict(secret.data), dict(kept))
        return self._shown(self.data.append(name, stored)).version

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        """Remove the secret; Conflict where it is no longer `base` (with conditional delete)."""
        await asyncio.sleep(0)
        if self._capabilities.conditional_delete:
            self._check_base(name, base)
        if self._capabilities.tombstones and self._latest(name).present:
            self.data.append(name, None)
        else:
            self.data.remove(name)

    async def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        """Names of all present secrets below `scope`, sorted."""
        await asyncio.sleep(0)
        for name in self.data.present():
            if not scope or str(name).startswith(f"{scope}/"):
                yield name

    async def check(self) -> list[str]:
        if self._capabilities.compare_and_set:
            return []
        return ["no compare-and-set: last writer wins across processes"]

    async def aclose(self) -> None:
        """Nothing to release: the data stays for other stores over it."""

    def _latest(self, name: ScopedName) -> StoredSecret:
        history = self.data.history(name)
        return self._shown(history[-1]) if history else ABSENT

    def _shown(self, revision: "_Revision") -> StoredSecret:
        numbered = self._capabilities.compare_and_set or self._capabilities.versions
        version = revision.version if numbered else None
        if revision.secret is None:
            return StoredSecret(Presence.TOMBSTONE, version=version)
        return StoredSecret(Presence.PRESENT, revision.secret, version)

    def _check_base(self, name: ScopedName, base: StoredSecret) -> None:
        history = self.data.history(name)
        current = history[-1].version if history else None
        if current != base.version:
            raise Conflict(f"secret {name} has changed since it was read")


@dataclass(frozen=True, slots=True)
class _Revision:
    number: int
    secret: Secret | None = field(repr=False)

    @property
    def version(self) -> Version:
        return Version(str(self.number))
