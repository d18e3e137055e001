"""What the rules need of a store, inside the cluster or behind a sidecar."""

from collections.abc import Collection, Mapping
from typing import Protocol

from store_plugin.model import ScopedName, Secret
from store_plugin.runtime.owners import Owner, PublishTo


class SecretStore(Protocol):
    """Where a StoreConfig keeps secrets. Whose a secret is, is decided on the state that
    the write or delete itself depends on: NotOwner."""

    async def read(self, name: ScopedName) -> Secret:
        """The secret with its owner label; empty where there is none."""
        ...

    async def write(
        self, name: ScopedName, data: Mapping[str, bytes], *, owner: Owner, publish_to: PublishTo
    ) -> bool:
        """Merge into the secret, and whether that changed it."""
        ...

    async def remove(self, name: ScopedName, keys: Collection[str], *, owner: Owner) -> None:
        """Remove keys, and the secret with its last one; no keys: the whole secret."""
        ...
