"""The ClusterProfiles of a fleet, read from the API server that holds them."""

from collections.abc import Mapping
from typing import Any

from store_plugin.access.profiles import GROUP, PLURAL, VERSIONS, ClusterProfile
from store_plugin.cluster_api import ApiClient, ClusterApi
from store_plugin.errors import ConfigInvalid, ConfigNotFound, InvalidRequest, StoreUnavailable
from store_plugin.running import run_now
from store_plugin.watching.requests import Collection, Forgotten, Listing

_ALL = f"/apis/{GROUP}/{{version}}/{PLURAL}"
_ONE_NAMESPACE = f"/apis/{GROUP}/{{version}}/namespaces/{{namespace}}/{PLURAL}"
_ADVICE = f"nothing serves {' or '.join(VERSIONS)} of {GROUP} here: a cluster manager brings the CRD"


async def list_profiles_async(api: ApiClient, namespace: str = "") -> list[ClusterProfile]:
    """All ClusterProfiles that there are, or those of a namespace, by name. `api` is an ApiClient
    of `kubernetes.aio`. StoreUnavailable, LoginRefused, StoreDenied, ConfigInvalid."""
    found = await _listed(ClusterApi(api), namespace)
    profiles = map(ClusterProfile.from_object, found)
    return sorted(profiles, key=lambda profile: (profile.namespace, profile.name))


async def _listed(api: ClusterApi, namespace: str) -> list[Mapping[str, Any]]:
    """In the first version that is served."""
    *others, last = VERSIONS
    for version in others:
        try:
            return await _listed_in(api, version, namespace)
        except ConfigInvalid:  # it is not
            pass
    return await _listed_in(api, last, namespace)


async def _listed_in(api: ClusterApi, version: str, namespace: str) -> list[Mapping[str, Any]]:
    listing = Listing(api, collection(version, namespace))
    try:
        return [one async for page in listing.pages() for one in page]
    except Forgotten:
        raise StoreUnavailable("the list of ClusterProfiles took too long; ask again") from None


def collection(version: str, namespace: str) -> Collection:
    """The profiles of a namespace, or, without one, of all."""
    path = _ONE_NAMESPACE if namespace else _ALL
    names = {"version": version, **({"namespace": namespace} if namespace else {})}
    return Collection("ClusterProfiles", path, names, advice=_ADVICE)


def list_profiles(api: ApiClient, namespace: str = "") -> list[ClusterProfile]:
    """The same with an ApiClient of `kubernetes.client`."""
    return run_now(list_profiles_async(api, namespace))


async def find_profile_async(api: ApiClient, name: str) -> ClusterProfile:
    """The profile `namespace/name`. ConfigNotFound, and as `list_profiles_async`."""
    namespace, slash, own = name.partition("/")
    if not (namespace and slash and own) or "/" in own:
        raise InvalidRequest(f"{name!r} is no profile: write NAMESPACE/NAME")
    found = await find_object(ClusterApi(api), namespace, own)
    if found is None:
        raise ConfigNotFound(f"there is no ClusterProfile {name}: store-plugin access list shows all")
    return ClusterProfile.from_object(found)


async def find_object(api: ClusterApi, namespace: str, name: str) -> Mapping[str, Any] | None:
    """The ClusterProfile as the API server gives it; None where there is none, or no CRD."""
    for version in VERSIONS:
        path = f"{_ONE_NAMESPACE}/{{name}}"
        found: Mapping[str, Any] | None = await api.find(
            path, version=version, namespace=namespace, name=name
        )
        if found is not None:
            return found
    return None


def find_profile(api: ApiClient, name: str) -> ClusterProfile:
    """The same with an ApiClient of `kubernetes.client`."""
    return run_now(find_profile_async(api, name))
