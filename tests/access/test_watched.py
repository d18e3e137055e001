"""The profiles of a fleet as a controller follows them, of a real API server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient

from store_plugin.access.watched import ProfileChange, WatchedProfiles, _Changes
from store_plugin.errors import ConfigInvalid, StoreDenied, StoreUnavailable
from store_plugin.watching.requests import Event
from tests.support.cluster_answers import Answers
from tests.support.exec_plugins import profile
from tests.support.fleet import apply_profile
from tests.support.kubernetes import MERGE, Cluster
from tests.support.kubernetes_clients import aio_configuration
from tests.support.virtual_time import virtually

WITHIN = 30.0


class Place:
    """A namespace of the hub, whose profiles lead to the hub itself."""

    def __init__(self, hub: Cluster) -> None:
        self.hub = hub
        self.namespace = hub.namespace()
        self.profiles = f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{self.namespace}/clusterprofiles"

    async def apply(self, name: str, **fields: Any) -> None:
        await asyncio.to_thread(apply_profile, self.hub, self.hub, self.namespace, name, **fields)

    async def api(self, method: str, path: str, body: object = None) -> None:
        await asyncio.to_thread(self.hub.api, method, self.profiles + path, body, content_type=MERGE)

    def told(self, change: ProfileChange) -> tuple[str, str]:
        """Which, and where its cluster is."""
        server = change.profile.accesses.get("tests", {}).get("server", "")
        return change.profile.name, "gone" if change.gone else server


@pytest.fixture
def place(hub: Cluster) -> Iterator[Place]:
    made = Place(hub)
    yield made
    hub.api("DELETE", made.profiles)


@pytest.fixture
async def api(hub: Cluster) -> AsyncIterator[ApiClient]:
    configuration = await asyncio.to_thread(aio_configuration, hub)
    async with ApiClient(configuration) as client:
        yield client


async def until(place: Place, changes: WatchedProfiles, *told: tuple[str, str]) -> list[tuple[str, str]]:
    """What is told up to this; a profile is there before its status is."""
    seen: list[tuple[str, str]] = []
    async with asyncio.timeout(WITHIN):
        while not seen or seen[-1] != told[-1]:
            seen.append(place.told(await anext(changes)))
    return [one for one in seen if one[1]]


async def test_what_there_is_comes_first_and_then_what_changes(place: Place, api: ApiClient) -> None:
    await place.apply("a", server="https://one")
    async with WatchedProfiles(api, place.namespace) as changes:
        told = [("a", "https://one")]
        assert await until(place, changes, *told) == told
        await place.apply("b", server="https://two")
        told = [("b", "https://two")]
        assert await until(place, changes, *told) == told
        await place.apply("a", server="https://three")
        await place.api("DELETE", "/b")
        told = [("a", "https://three"), ("b", "gone")]
        assert await until(place, changes, *told) == told


async def test_what_does_not_count_for_reaching_a_cluster_is_no_change(place: Place, api: ApiClient) -> None:
    for name in "ab":
        await place.apply(name, server="https://one")
    async with WatchedProfiles(api, place.namespace) as changes:
        there = {place.told(await anext(changes)) for _ in range(2)}
        assert there == {("a", "https://one"), ("b", "https://one")}
        healthy = {"type": "ControlPlaneHealthy", "status": "True", "reason": "x", "message": ""}
        condition = {**healthy, "lastTransitionTime": "2030-01-01T00:00:00Z"}
        await place.api("PATCH", "/a/status", {"status": {"conditions": [condition]}})
        await place.apply("b", server="https://two")
        assert await until(place, changes, ("b", "https://two")) == [("b", "https://two")]


async def test_namespaces_are_told_apart_and_all_may_be_watched(place: Place, api: ApiClient) -> None:
    await place.apply("a", server="https://one")
    async with WatchedProfiles(api) as changes:
        told = set()
        async with asyncio.timeout(WITHIN):
            while f"{place.namespace}/a" not in told:
                told.add(str((await anext(changes)).profile))


async def test_whoever_leaves_ends_those_who_wait(place: Place, api: ApiClient) -> None:
    async def all_of(changes: WatchedProfiles) -> list[ProfileChange]:
        return [change async for change in changes]

    async with WatchedProfiles(api, place.namespace) as changes:
        waiting = asyncio.create_task(all_of(changes))
        await asyncio.sleep(0)
    async with asyncio.timeout(WITHIN):
        assert await waiting == []


async def test_missing_rights_are_told_at_once(place: Place) -> None:
    token = await asyncio.to_thread(lambda: place.hub.token(place.hub.service_account(place.namespace)))
    configuration = await asyncio.to_thread(aio_configuration, place.hub, token)
    async with ApiClient(configuration) as api:
        with pytest.raises(StoreDenied, match="may not list ClusterProfiles"):
            await WatchedProfiles(api).__aenter__()


async def test_a_cluster_without_the_crd_is_told_at_once(member: Cluster) -> None:
    configuration = await asyncio.to_thread(aio_configuration, member)
    async with ApiClient(configuration) as api:
        with pytest.raises(ConfigInvalid, match="a cluster manager brings the CRD"):
            await WatchedProfiles(api).__aenter__()


# Without a server.


def test_a_server_that_is_away_is_not_waited_for_longer_than_said() -> None:
    told = r"no list of ClusterProfiles within 30 s: the API server gave no answer \(ConnectionError\)"
    with pytest.raises(StoreUnavailable, match=told):
        virtually(WatchedProfiles(Answers(ConnectionError("refused")), listed_within=30.0).__aenter__())


async def page(*servers: tuple[str, str]) -> AsyncIterator[list[Any]]:
    yield [profile(name, server=server) for name, server in servers]


def taken(changes: _Changes) -> list[tuple[str, bool]]:
    found = []
    while (change := changes.taken()) is not None:
        found.append((change.profile.name, change.gone))
    return found


async def test_a_new_list_tells_what_is_gone_and_what_has_changed() -> None:
    changes = _Changes()
    await changes.listed(page(("a", "https://1"), ("b", "https://1"), ("c", "https://1")))
    assert taken(changes) == [("a", False), ("b", False), ("c", False)]
    await changes.listed(page(("a", "https://1"), ("b", "https://2")))
    assert taken(changes) == [("c", True), ("b", False)]
    await changes.listed(page(("a", "https://1"), ("b", "https://2")))
    assert taken(changes) == []


async def test_changes_that_nobody_has_taken_are_told_as_the_last() -> None:
    changes = _Changes()
    for server in ("https://1", "https://2"):
        await changes.changed([Event(gone=False, object=profile("a", server=server))])
    (change,) = filter(None, [changes.taken(), changes.taken()])
    assert change.profile.access("tests").server == "https://2"
    await changes.changed([Event(gone=True, object=profile("a", server="https://3"))])
    await changes.changed([Event(gone=True, object=profile("never-there"))])
    assert taken(changes) == [("a", True)]
