"""StoreConfigs of the cluster, kept up to date by a watch: publishing makes no request more.

When the API server is away, the last state known serves, and the watch goes on by itself
once it is back: where it stopped, or with a new listing where the server has forgotten that.
"""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from store_plugin.cluster_api import ApiClient, ClusterApi, Json
from store_plugin.errors import StoreUnavailable
from store_plugin.log import StandardLogger
from store_plugin.runtime.sources.asked import collection
from store_plugin.runtime.sources.source import not_found
from store_plugin.runtime.store_config import DEFAULT_API_VERSION, KIND, StoreConfig
from store_plugin.watching.pauses import Pauses
from store_plugin.watching.requests import Event
from store_plugin.watching.watch import Watch

SYNCED_WITHIN = 30.0
"""Seconds that the first listing may take, all attempts together."""


class WatchedStoreConfigs:
    """For AsyncDetailsManager. An asynchronous context manager: inside of it the watch runs.

        async with WatchedStoreConfigs(api, "gcp.crossplane.io/v1alpha1") as configs:
            manager = AsyncDetailsManager(configs)

    `client` is an ApiClient of `kubernetes.aio.client`. Entering raises StoreUnavailable
    where no listing succeeds within `synced_within` seconds, and at once what a server
    answers that refuses it.
    """

    def __init__(
        self,
        client: ApiClient,
        api_version: str = DEFAULT_API_VERSION,
        *,
        synced_within: float = SYNCED_WITHIN,
    ) -> None:
        self._api = ClusterApi(client)
        self._collection = collection(api_version, "apply the operator's CRDs first")
        self._synced_within = synced_within
        self._known = _Manifests()
        self._watch: Watch | None = None
        self._task: asyncio.Task[None] | None = None

    def get(self, name: str) -> StoreConfig:
        """The StoreConfig as last seen. ConfigNotFound, ConfigInvalid."""
        if self._task is not None and self._task.done():
            self._task.result()  # it never ends by itself: whatever ended it is a bug to be seen
        manifest = self._known.manifests.get(name)
        if manifest is None:
            raise not_found(name)
        return StoreConfig.from_manifest(manifest)

    async def __aenter__(self) -> Self:
        self._watch = Watch(self._api, self._collection, self._known, StandardLogger(__name__), Pauses())
        await self._first_list(self._watch)
        self._task = asyncio.create_task(self._watch.run(), name=f"watch of {KIND}s")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _first_list(self, watch: Watch) -> None:
        try:
            async with asyncio.timeout(self._synced_within):
                refused = await watch.list_once()
        except TimeoutError:
            raise StoreUnavailable(
                f"no list of {KIND}s within {self._synced_within:g} s: "
                f"{watch.state.problem or 'does the API server answer?'}"
            ) from None
        if refused is not None:
            raise refused


class _Manifests:
    """What the watch has told, by name: a `store_plugin.watching.watch.Target`."""

    def __init__(self) -> None:
        self.manifests: dict[str, Json] = {}

    async def listed(self, pages: AsyncIterator[list[Json]]) -> None:
        self.manifests = {_name(item): item async for page in pages for item in page}

    async def changed(self, events: list[Event]) -> None:
        for event in events:
            if event.gone:
                self.manifests.pop(_name(event.object), None)
            else:
                self.manifests[_name(event.object)] = event.object


def _name(manifest: Json) -> str:
    return str((manifest.get("metadata") or {}).get("name", ""))
