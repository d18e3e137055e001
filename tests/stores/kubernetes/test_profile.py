"""A store that follows a ClusterProfile: looked up now and then, connected anew where it changed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable, Throttled
from store_plugin.store import MemberCluster
from store_plugin.testing.environment import MemoryCredentials, memory_environment
from stores.kubernetes.connection import Connection
from stores.kubernetes.profile import LOOK_SECONDS, FollowedProfile
from stores.kubernetes.spec import ClusterProfileReference, KubernetesSpec

REFERENCE = {"namespace": "fleet", "name": "member"}
SPEC = KubernetesSpec.model_validate({"clusterProfileRef": REFERENCE})


class FakeClient:
    """Counts only whether it is open."""

    def __init__(self) -> None:
        self.closed = False

    async def param_serialize(self, *_: Any, **__: Any) -> tuple[object, ...]:
        return ()

    async def call_api(self, *_: Any) -> Any:
        raise TimeoutError

    async def close(self) -> None:
        self.closed = True


class FakeFleet:
    """A fleet whose one profile says `identity`, or raises `error`."""

    def __init__(self) -> None:
        self.identity = "one"
        self.error: StorePluginError | None = None
        self.asked: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.clients: list[FakeClient] = []
        self.connect: Callable[[], FakeClient] = self._connect

    async def member(self, namespace: str, name: str) -> MemberCluster:
        self.asked.append(f"{namespace}/{name}")
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return MemberCluster(self.identity, self.connect)

    def _connect(self) -> FakeClient:
        self.clients.append(FakeClient())
        return self.clients[-1]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(FollowedProfile.__init__, "__defaults__", (clock,))
    return clock


def connection(fleet: FakeFleet | None) -> Connection:
    environment = memory_environment(MemoryCredentials({}), None, "KubernetesStoreConfig/test", fleet=fleet)
    return Connection(SPEC, environment)


async def used(connection: Connection) -> None:
    async with connection.api():
        pass


async def test_nothing_is_looked_up_before_the_first_use(fleet: FakeFleet, clock: Clock) -> None:
    opened = connection(fleet)
    assert fleet.asked == []
    for _ in range(3):
        await used(opened)
    assert (fleet.asked, len(fleet.clients)) == (["fleet/member"], 1)
    assert opened.server == "ClusterProfile fleet/member"
    await opened.aclose()
    assert fleet.clients[0].closed


async def test_a_profile_is_looked_up_again_and_a_connection_kept(fleet: FakeFleet, clock: Clock) -> None:
    opened = connection(fleet)
    await used(opened)
    clock.now += LOOK_SECONDS
    await used(opened)
    assert (len(fleet.asked), len(fleet.clients)) == (2, 1)


async def test_a_profile_that_changed_is_followed_and_calls_under_way_finish(
    fleet: FakeFleet, clock: Clock
) -> None:
    opened = connection(fleet)
    async with opened.api():
        fleet.identity = "two"
        clock.now += LOOK_SECONDS
        await used(opened)
        assert [client.closed for client in fleet.clients] == [False, False]
    assert [client.closed for client in fleet.clients] == [True, False]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), Throttled("slowly")], ids=["away", "busy"])
async def test_what_is_known_outlasts_a_hub_that_is_away(
    fleet: FakeFleet, clock: Clock, error: StorePluginError
) -> None:
    opened = connection(fleet)
    await used(opened)
    fleet.error = error
    clock.now += LOOK_SECONDS
    for _ in range(3):
        await used(opened)
    assert (len(fleet.asked), len(fleet.clients)) == (2, 1)


async def test_what_is_known_outlasts_a_hub_that_hangs(
    fleet: FakeFleet, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One caller waits for it, and not for long; the others not at all."""
    opened = connection(fleet)
    await used(opened)
    fleet.answers.clear()
    clock.now += LOOK_SECONDS
    monkeypatch.setattr("stores.kubernetes.profile.PATIENCE_SECONDS", 0.05)
    waiting = asyncio.create_task(used(opened))
    while len(fleet.asked) < 2:
        await asyncio.sleep(0)
    await used(opened)
    assert not waiting.done()
    await waiting
    assert (len(fleet.asked), len(fleet.clients)) == (2, 1)


async def test_a_caller_who_gives_up_holds_nobody_up(fleet: FakeFleet, clock: Clock) -> None:
    opened = connection(fleet)
    await used(opened)
    fleet.answers.clear()
    clock.now += LOOK_SECONDS
    waiting = asyncio.create_task(used(opened))
    while len(fleet.asked) < 2:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await used(opened)
    fleet.answers.set()
    fleet.identity = "two"
    clock.now += LOOK_SECONDS
    await used(opened)
    assert (len(fleet.asked), len(fleet.clients)) == (3, 2)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ConfigInvalid("gone")], ids=["away", "gone"])
async def test_an_unknown_profile_is_asked_for_with_each_use(
    fleet: FakeFleet, clock: Clock, error: StorePluginError
) -> None:
    opened = connection(fleet)
    fleet.error = error
    for _ in range(2):
        with pytest.raises(type(error)):
            await used(opened)
    fleet.error = None
    await used(opened)
    assert len(fleet.asked) == 3


async def test_a_profile_that_is_gone_is_not_used_any_more(fleet: FakeFleet, clock: Clock) -> None:
    opened = connection(fleet)
    await used(opened)
    fleet.error = ConfigInvalid("gone")
    clock.now += LOOK_SECONDS
    for _ in range(2):
        with pytest.raises(ConfigInvalid, match="gone"):
            await used(opened)


async def test_a_profile_that_cannot_be_connected_to_never_means_our_own_cluster(
    fleet: FakeFleet, clock: Clock
) -> None:
    def refused() -> FakeClient:
        raise ConfigInvalid("no certificates")

    fleet.connect = refused
    opened = connection(fleet)
    for _ in range(2):
        with pytest.raises(ConfigInvalid, match="no certificates"):
            await used(opened)


async def test_a_closed_store_looks_nothing_up(fleet: FakeFleet, clock: Clock) -> None:
    opened = connection(fleet)
    await opened.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await used(opened)
    assert fleet.asked == []


def test_without_an_access_config_there_is_no_fleet() -> None:
    with pytest.raises(ConfigInvalid, match="--access-config FILE"):
        connection(None)


@pytest.mark.parametrize("more", [{"context": "x"}, {"kubeconfig": {"source": "None"}}])
def test_there_is_one_way_to_a_cluster(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="leave kubeconfig and context out"):
        KubernetesSpec.model_validate({"clusterProfileRef": REFERENCE, **more})


@pytest.mark.parametrize("wrong", ["", "../x", "a/b", "A", "x" * 254, "a\n"])
def test_a_reference_names_an_object_and_no_path(wrong: str) -> None:
    for field in ("namespace", "name"):
        with pytest.raises(ValueError):
            ClusterProfileReference.model_validate({**REFERENCE, field: wrong})
