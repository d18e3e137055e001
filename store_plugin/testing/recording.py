"""Notes the calls that reach a store, so that a test can say how many there may be."""

from collections.abc import AsyncIterator

from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Store


class RecordingStore:
    """A `Store` in front of another; `calls` holds the names of the methods called."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return self.store.capabilities

    @property
    def writes(self) -> int:
        """Calls that would change something."""
        return sum(call in ("write", "delete") for call in self.calls)

    def location(self, name: ScopedName) -> str:
        return self.store.location(name)

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        self.calls.append("read")
        return await self.store.read(name, version)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        self.calls.append("write")
        return await self.store.write(name, secret, base=base)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        self.calls.append("delete")
        await self.store.delete(name, base=base)

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        self.calls.append("names")
        return self.store.names(scope)

    async def check(self) -> list[str]:
        self.calls.append("check")
        return await self.store.check()

    async def aclose(self) -> None:
        self.calls.append("aclose")
        await self.store.aclose()
