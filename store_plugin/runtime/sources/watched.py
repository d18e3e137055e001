"""StoreConfigs of the cluster, kept up to date by a watch: publishing makes no request more.

When the API server is away, the last state known serves, and the watch goes on by itself
once it is back: where it stopped, or with a new listing where the server has forgotten that.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from store_plugin.cluster_api import ApiClient, ClusterApi, Json
from store_plugin.log import StandardLogger
from store_plugin.runtime.sources.asked import collection
from store_plugin.runtime.sources.source import not_found
from store_plugin.runtime.store_config import DEFAULT_API_VERSION, StoreConfig
from store_plugin.watching.following import LISTED_WITHIN, Following
from store_plugin.watching.requests import Event


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
        synced_within: float = LISTED_WITHIN,
    ) -> None:
        self._synced_within = synced_within
        self._known = _Manifests()
        self._following = Following(
            ClusterApi(client),
            [collection(api_version, "apply the operator's CRDs first")],
            self._known,
            StandardLogger(__name__),
        )

    def get(self, name: str) -> StoreConfig:
        """The StoreConfig as last seen. ConfigNotFound, ConfigInvalid."""
        self._following.check()
        manifest = self._known.manifests.get(name)
        if manifest is None:
            raise not_found(name)
        return StoreConfig.from_manifest(manifest)

    async def __aenter__(self) -> Self:
        await self._following.start(self._synced_within)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._following.stop()


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
