"""StoreConfigs of the cluster, asked for whenever one is needed: one request more for each
operation, and nothing that runs in between. `watched` is the other way."""

from store_plugin.cluster_api import ApiClient, ClusterApi
from store_plugin.running import run_now
from store_plugin.runtime.sources.source import not_found
from store_plugin.runtime.store_config import DEFAULT_API_VERSION, KIND, PLURAL, StoreConfig
from store_plugin.watching.requests import Collection

_ALL = "/apis/{group}/{version}/{plural}"
_ONE = _ALL + "/{name}"


class AsyncClusterStoreConfigs:
    """For AsyncDetailsManager. `client` is an ApiClient of `kubernetes.aio.client`;
    `api_version` that of the operator's own StoreConfig, as `gcp.crossplane.io/v1alpha1`."""

    def __init__(self, client: ApiClient, api_version: str = DEFAULT_API_VERSION) -> None:
        self._api = ClusterApi(client)
        self._place = _place(api_version)

    async def get(self, name: str) -> StoreConfig:
        """ConfigNotFound, ConfigInvalid, or that the API server does not answer."""
        manifest = await self._api.find(_ONE, name=name, **self._place)
        if manifest is None:
            raise not_found(name)
        return StoreConfig.from_manifest(manifest)


class ClusterStoreConfigs:
    """For DetailsManager: the same over an ApiClient of `kubernetes.client`."""

    def __init__(self, client: ApiClient, api_version: str = DEFAULT_API_VERSION) -> None:
        self._configs = AsyncClusterStoreConfigs(client, api_version)

    def get(self, name: str) -> StoreConfig:
        """ConfigNotFound, ConfigInvalid, or that the API server does not answer."""
        return run_now(self._configs.get(name))


def collection(api_version: str, advice: str) -> Collection:
    """The StoreConfigs of an API group; `advice`: what to do where it has none. ValueError."""
    return Collection(f"{KIND}s in {api_version}", _ALL, _place(api_version), advice=advice)


def _place(api_version: str) -> dict[str, str]:
    """What the path of StoreConfigs in an API group is made of."""
    group, _, version = api_version.partition("/")
    if not group or not version:
        raise ValueError(f"{api_version!r} is no API version: write GROUP/VERSION")
    return {"group": group, "version": version, "plural": PLURAL}
