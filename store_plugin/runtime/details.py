"""What publishing, unpublishing, fetching and propagating mean. Told once, for threads and
for asyncio; docs/runtime.md."""

from collections.abc import Awaitable, Collection, Iterable, Mapping
from typing import Protocol

from store_plugin.client import AsyncClient, Client
from store_plugin.errors import InvalidRequest, NotOwner
from store_plugin.running import settled
from store_plugin.runtime import _failures
from store_plugin.runtime._failures import doing
from store_plugin.runtime.connection_secrets import ConnectionSecretStore, Pause, Secrets
from store_plugin.runtime.external import SidecarStore
from store_plugin.runtime.owners import Owner, PublishTo
from store_plugin.runtime.secret_store import SecretStore
from store_plugin.runtime.sources.source import AsyncStoreConfigSource
from store_plugin.runtime.store_config import StoreConfig, StoreConfigSpec


class Clients(Protocol):
    """A pool of clients of either kind."""

    def client(self, endpoint: str) -> Awaitable[Client | AsyncClient]: ...


class Clusters(Protocol):
    """The API servers that StoreConfigs of type Kubernetes name."""

    def secrets(self, config: StoreConfig) -> Awaitable[Secrets]: ...


class Details:
    """The operations over whatever ports it is given."""

    def __init__(
        self, configs: AsyncStoreConfigSource, clients: Clients, clusters: Clusters, pause: Pause
    ) -> None:
        self._configs = configs
        self._clients = clients
        self._clusters = clusters
        self._pause = pause

    async def publish(self, owner: object, details: Mapping[str, bytes]) -> bool:
        publisher = Owner.of(owner)
        if publisher.publish_to is None:
            return False
        return await self._write(publisher, publisher.publish_to, details)

    async def unpublish(self, owner: object, keys: Iterable[str]) -> None:
        publisher = Owner.of(owner)
        if publisher.publish_to is None:
            return
        keys = _taken(keys)
        spec, store = await self._connect(publisher.publish_to)
        with doing(_failures.DELETE):
            name = publisher.secret_name(publisher.publish_to, spec.default_scope)
            await store.remove(name, keys, owner=publisher)

    async def fetch(self, owner: object) -> dict[str, bytes] | None:
        publisher = Owner.of(owner)
        if publisher.publish_to is None:
            return None
        data, _ = await self._read(publisher, publisher.publish_to)
        return data

    async def propagate(self, to: object, source: object) -> bool:
        target, origin = Owner.of(to), Owner.of(source)
        if target.publish_to is None or origin.publish_to is None:
            return False
        data, holder = await self._read(origin, origin.publish_to)
        if holder != origin.uid:
            raise NotOwner(f"{_failures.CONFLICT}: {_failures.not_owned_by(origin.uid)}")
        return await self._write(target, target.publish_to, data)

    async def _write(self, owner: Owner, publish_to: PublishTo, details: Mapping[str, bytes]) -> bool:
        _check_are_bytes(details)
        spec, store = await self._connect(publish_to)
        with doing(_failures.WRITE):
            name = owner.secret_name(publish_to, spec.default_scope)
            return await store.write(name, details, owner=owner, publish_to=publish_to)

    async def _read(self, owner: Owner, publish_to: PublishTo) -> tuple[dict[str, bytes], str | None]:
        """The data, and the UID it belongs to."""
        spec, store = await self._connect(publish_to)
        with doing(_failures.READ):
            secret = await store.read(owner.secret_name(publish_to, spec.default_scope))
        return dict(secret.data), secret.owner

    async def _connect(self, publish_to: PublishTo) -> tuple[StoreConfigSpec, SecretStore]:
        with doing(_failures.CONNECT):
            with doing(_failures.GET_STORE_CONFIG):
                config = await settled(self._configs.get(publish_to.config_ref.name))
            return config.spec, await self._store_of(config)

    async def _store_of(self, config: StoreConfig) -> SecretStore:
        outside = config.spec.outside
        if config.spec.type == "Kubernetes" or outside is None:
            return ConnectionSecretStore(await self._clusters.secrets(config), self._pause)
        return SidecarStore(await self._clients.client(outside.endpoint), outside.config_ref.reference)


def _check_are_bytes(details: Mapping[str, bytes]) -> None:
    for key, value in details.items():
        if not isinstance(value, bytes):
            raise InvalidRequest(
                f"the value of {key} is {type(value).__name__}: connection details are bytes"
            )


def _taken(keys: Iterable[str]) -> Collection[str]:
    """The keys, to be counted and gone through more than once: a generator gives them only once."""
    if isinstance(keys, str | bytes):
        raise InvalidRequest("keys must be a collection of keys, not a string")
    return frozenset(keys)
