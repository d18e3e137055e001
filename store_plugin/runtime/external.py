"""Secrets behind a sidecar: one call each, and the sidecar's engine keeps the rules."""

from collections.abc import Collection, Mapping

from store_plugin.client import AsyncClient, Client
from store_plugin.model import ConfigReference, ScopedName, Secret
from store_plugin.running import settled
from store_plugin.runtime.owners import Owner, PublishTo, metadata_of


class SidecarStore:
    """The store of one config, over a client of either kind."""

    def __init__(self, client: Client | AsyncClient, config: ConfigReference) -> None:
        self._client = client
        self._config = config

    async def read(self, name: ScopedName) -> Secret:
        return await settled(self._client.get(self._config, name))

    async def write(
        self, name: ScopedName, data: Mapping[str, bytes], *, owner: Owner, publish_to: PublishTo
    ) -> bool:
        metadata = metadata_of(publish_to)
        applied = await settled(self._client.apply(self._config, name, data, metadata, owner=owner.uid))
        return applied.changed

    async def remove(self, name: ScopedName, keys: Collection[str], *, owner: Owner) -> None:
        client, config = self._client, self._config
        if keys:
            await settled(client.delete_keys(config, name, keys, owner=owner.uid))
        else:
            await settled(client.delete(config, name, owner=owner.uid))
