"""What a KV secrets engine is to the store, whichever its version."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities


class KeyValue(Protocol):
    """A KV secrets engine at one mount. Calls and errors are those of `Store`."""

    capabilities: Capabilities
    warnings: tuple[str, ...]
    """What a person who chose this version should know."""
    why_useful: str
    """What comes of a policy that does not give what is useful."""

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret: ...

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version | None: ...

    async def delete(self, name: ScopedName) -> None: ...

    def names(self, scope: str) -> AsyncIterator[ScopedName]: ...

    def path(self, name: ScopedName) -> str:
        """Where the secret lies below the mount. InvalidRequest for a name that has no place."""
        ...

    def needed(self, pattern: str) -> Mapping[str, frozenset[str]]:
        """The capabilities that a policy must give, by path, for secrets: a scoped name, or a
        pattern of names."""
        ...

    def useful(self, pattern: str) -> Mapping[str, frozenset[str]]:
        """The capabilities that it should give besides, on some of the paths of `needed`."""
        ...
