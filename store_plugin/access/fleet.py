"""The ClusterProfiles of a fleet, read from the API server that holds them."""

from collections.abc import Mapping
from typing import Any

from store_plugin.access.profiles import GROUP, PLURAL, VERSION, ClusterProfile
from store_plugin.cluster_api import ApiClient, ClusterApi
from store_plugin.errors import ConfigNotFound, InvalidRequest, StoreUnavailable
from store_plugin.running import run_now
from store_plugin.watching.requests import Collection, Forgotten, Listing

_ALL = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
_ONE_NAMESPACE = f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{PLURAL}"
_ADVICE = f"nothing serves {GROUP}/{VERSION} here: a cluster manager brings the CRD of ClusterProfile"


async def list_profiles_async(api: ApiClient, namespace: str = "") -> list[ClusterProfile]:
    """All ClusterProfiles that there are, or those of a namespace, by name. `api` is an ApiClient
    of `kubernetes.aio`. StoreUnavailable, LoginRefused, StoreDenied, ConfigInvalid."""
    path, names = (_ONE_NAMESPACE, {"namespace": namespace}) if namespace else (_ALL, {})
    listing = Listing(ClusterApi(api), Collection("ClusterProfiles", path, names, advice=_ADVICE))
    try:
        found = [one async for page in listing.pages() for one in page]
    except Forgotten:
        raise StoreUnavailable("the list of ClusterProfiles took too long; ask again") from None
    profiles = map(ClusterProfile.from_object, found)
    return sorted(profiles, key=lambda profile: (profile.namespace, profile.name))


def list_profiles(api: ApiClient, namespace: str = "") -> list[ClusterProfile]:
    """The same with an ApiClient of `kubernetes.client`."""
    return run_now(list_profiles_async(api, namespace))


async def find_profile_async(api: ApiClient, name: str) -> ClusterProfile:
    """The profile `namespace/name`. ConfigNotFound, and as `list_profiles_async`."""
    namespace, slash, own = name.partition("/")
    if not (namespace and slash and own) or "/" in own:
        raise InvalidRequest(f"{name!r} is no profile: write NAMESPACE/NAME")
    path = f"{_ONE_NAMESPACE}/{{name}}"
    found: Mapping[str, Any] | None = await ClusterApi(api).find(path, namespace=namespace, name=own)
    if found is None:
        raise ConfigNotFound(f"there is no ClusterProfile {name}: store-plugin access list shows all")
    return ClusterProfile.from_object(found)


def find_profile(api: ApiClient, name: str) -> ClusterProfile:
    """The same with an ApiClient of `kubernetes.client`."""
    return run_now(find_profile_async(api, name))
