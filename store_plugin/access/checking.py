"""Whether each cluster of a fleet answers, and as whom: every cluster is asked, none is waited for
longer than it may take."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from store_plugin.access.config import AccessConfig
from store_plugin.access.fleet import find_profile_async
from store_plugin.access.profiles import ClusterProfile
from store_plugin.cluster_api import ApiClient, ClusterApi
from store_plugin.errors import ConfigNotFound, StoreDenied, StorePluginError

_AT_ONCE = 16
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


@dataclass(frozen=True, slots=True)
class Checked:
    """One cluster. `problem` is empty where it answers."""

    profile: ClusterProfile
    provider: str = ""
    server: str = ""
    version: str = ""
    user: str = ""
    """Who we are there; empty where the cluster does not tell (before Kubernetes 1.28)."""
    problem: str = ""


async def check(access: AccessConfig, profiles: Sequence[ClusterProfile], timeout: float) -> list[Checked]:
    """Log in to the cluster of each profile, in their order; each may take `timeout` seconds."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(profile: ClusterProfile) -> Checked:
        async with turns:
            return await _check(access, profile, timeout)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(in_turn(profile)) for profile in profiles]
    return [task.result() for task in tasks]


async def check_named(
    access: AccessConfig, hub: ApiClient, names: Sequence[str], timeout: float
) -> list[Checked]:
    """The same of profiles by name, in their order. One that is not there, or that we may not read, has
    that for its problem. What else `find_profile_async` raises is raised."""
    found = [await _found(hub, name) for name in names]
    checked = iter(await check(access, [one for one in found if isinstance(one, ClusterProfile)], timeout))
    return [next(checked) if isinstance(one, ClusterProfile) else one for one in found]


async def _found(hub: ApiClient, name: str) -> ClusterProfile | Checked:
    try:
        return await find_profile_async(hub, name)
    except (ConfigNotFound, StoreDenied) as error:
        namespace, _, own = name.partition("/")
        return Checked(ClusterProfile(namespace, own), problem=error.message)


async def _check(access: AccessConfig, profile: ClusterProfile, timeout: float) -> Checked:
    provider = server = ""
    try:
        chosen, cluster = access.choose(profile)
        provider, server = chosen.name, cluster.server
        async with asyncio.timeout(timeout), access.connect_aio(profile) as client:
            api = ClusterApi(client)
            review = await api.send("POST", _REVIEWS, _REVIEW) or {}
            version = await api.find("/version") or {}
    except StorePluginError as error:
        return Checked(profile, provider, server, problem=error.message)
    except TimeoutError:
        return Checked(profile, provider, server, problem=f"no answer within {timeout:g} s")
    user = ((review.get("status") or {}).get("userInfo") or {}).get("username")
    return Checked(profile, provider, server, str(version.get("gitVersion") or ""), str(user or ""))
