"""The managers that operators hold: one for threads, one for asyncio."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from store_plugin.errors import ConfigInvalid
from store_plugin.running import run_now
from store_plugin.runtime.clients import AsyncClientPool, ClientPool
from store_plugin.runtime.connection_secrets import Secrets
from store_plugin.runtime.details import Clusters, Details
from store_plugin.runtime.sources.source import AsyncStoreConfigSource, StoreConfigSource
from store_plugin.runtime.store_config import StoreConfig


class _NoCluster:
    """In place of an API server where the operator gave none."""

    async def secrets(self, config: StoreConfig) -> Secrets:
        raise ConfigInvalid(
            f"StoreConfig {config.name} is of type Kubernetes, and this operator gave its manager no "
            "cluster: make it with clusters=..., or use type External"
        )


class DetailsManager:
    """Keeps the connection details of objects where their StoreConfig says. For threads:
    any number may share it. `close` it or use it as a context manager.

    configs: where StoreConfigs come from. clients: the pool of clients to sidecars; by
    default one of its own; it is closed with the manager. clusters: needed for StoreConfigs
    of type Kubernetes.

    An owner is any Kubernetes object: a dictionary, a model of the kubernetes client,
    kopf's body, or an `Owner`. One without `publishConnectionDetailsTo` makes every
    operation do nothing.

    Errors are those of `store_plugin.errors`: ConfigNotFound where the StoreConfig (or
    the config it names) does not exist, NotOwner, and what a client raises. The message
    tells what was being done.
    """

    def __init__(
        self,
        configs: StoreConfigSource,
        *,
        clients: ClientPool | None = None,
        clusters: Clusters | None = None,
    ) -> None:
        self._clients = clients or ClientPool()
        self._details = Details(configs, self._clients, clusters or _NoCluster(), time.sleep)

    def publish(self, owner: object, details: Mapping[str, bytes]) -> bool:
        """Merge details into the owner's secret, and whether that changed it."""
        return run_now(self._details.publish(owner, details))

    def unpublish(self, owner: object, keys: Iterable[str] = ()) -> None:
        """Remove keys from the owner's secret, and the secret with its last one; without
        keys the whole secret. What is not there is no error."""
        run_now(self._details.unpublish(owner, keys))

    def fetch(self, owner: object) -> dict[str, bytes] | None:
        """The details in the owner's secret, whoever wrote them; empty where there is no
        secret, None where the owner publishes none."""
        return run_now(self._details.fetch(owner))

    def propagate(self, to: object, source: object) -> bool:
        """Merge the details of one object into the secret of another, and whether that
        changed it. The secret of `source` must belong to it: NotOwner."""
        return run_now(self._details.propagate(to, source))

    def close(self) -> None:
        """Close the connections; calls under way end with Cancelled. For good."""
        self._clients.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncDetailsManager:
    """`DetailsManager` for asyncio: the same operations, awaited. Any number of tasks may
    share it; a cancelled task cancels its call."""

    def __init__(
        self,
        configs: AsyncStoreConfigSource,
        *,
        clients: AsyncClientPool | None = None,
        clusters: Clusters | None = None,
    ) -> None:
        self._clients = clients or AsyncClientPool()
        self._details = Details(configs, self._clients, clusters or _NoCluster(), asyncio.sleep)

    async def publish(self, owner: object, details: Mapping[str, bytes]) -> bool:
        """Merge details into the owner's secret, and whether that changed it."""
        return await self._details.publish(owner, details)

    async def unpublish(self, owner: object, keys: Iterable[str] = ()) -> None:
        """Remove keys from the owner's secret, and the secret with its last one; without
        keys the whole secret. What is not there is no error."""
        await self._details.unpublish(owner, keys)

    async def fetch(self, owner: object) -> dict[str, bytes] | None:
        """The details in the owner's secret, whoever wrote them; empty where there is no
        secret, None where the owner publishes none."""
        return await self._details.fetch(owner)

    async def propagate(self, to: object, source: object) -> bool:
        """Merge the details of one object into the secret of another, and whether that
        changed it. The secret of `source` must belong to it: NotOwner."""
        return await self._details.propagate(to, source)

    async def close(self) -> None:
        """Close the connections; calls under way end with Cancelled. For good."""
        await self._clients.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
