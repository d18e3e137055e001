"""Of several replicas one leads, whatever their clocks and the API server do."""

import asyncio
from typing import Any

from store_plugin.cluster_api import ClusterApi
from store_plugin.errors import Conflict, StoreUnavailable
from store_plugin.sidecar.status.election import Election
from tests.support.clock import FakeClock
from tests.support.fakes import RecordingLog


class Leases(ClusterApi):
    """One Lease with a resource version, in memory."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    async def find(self, path: str, **names: str) -> Any:
        self._answer()
        return self.lease

    async def send(self, method: str, path: str, body: Any, **_: Any) -> Any:
        self._answer()
        expected = body["metadata"].get("resourceVersion")
        if (method == "POST") is (self.lease is not None) or (
            method == "PUT" and expected != str(self.version)
        ):
            raise Conflict("changed")
        self.version += 1
        self.lease = {"metadata": {"resourceVersion": str(self.version)}, "spec": body["spec"]}
        return self.lease

    def _answer(self) -> None:
        if self.away:
            raise StoreUnavailable("away")


class Replicas:
    """Some that run for the same Lease; each is asked in turn."""

    def __init__(self, *names: str) -> None:
        self.api = Leases()
        self.clock = FakeClock()
        self.log = RecordingLog()
        self.all = {
            name: Election(self.api, "ns", name, self.log, duration=15.0, clock=self.clock) for name in names
        }

    async def attempt(self, *names: str) -> None:
        for name in names:
            await self.all[name]._attempt()

    @property
    def leading(self) -> list[str]:
        return [name for name, election in self.all.items() if election.leading]


async def test_the_first_leads_for_as_long_as_it_renews() -> None:
    replicas = Replicas("a", "b")
    for _ in range(20):
        await replicas.attempt("a", "b")
        assert replicas.leading == ["a"]
        replicas.clock.now += 3.0


async def test_a_silent_leader_steps_down_before_another_takes_over() -> None:
    replicas = Replicas("a", "b")
    await replicas.attempt("a", "b")
    replicas.clock.now += 10.5
    await replicas.attempt("b")
    assert replicas.leading == []
    replicas.clock.now += 4.6
    await replicas.attempt("b")
    assert replicas.leading == ["b"]
    await replicas.attempt("a")
    assert replicas.leading == ["b"]
    assert replicas.api.lease is not None
    assert replicas.api.lease["spec"]["leaseTransitions"] == 1


async def test_clocks_of_others_are_not_believed() -> None:
    replicas = Replicas("a", "b")
    await replicas.attempt("a")
    assert replicas.api.lease is not None
    replicas.api.lease["spec"]["renewTime"] = "1990-01-01T00:00:00.000000Z"
    await replicas.attempt("b", "a")
    assert replicas.leading == ["a"]


async def test_without_an_api_server_nobody_leads_for_long() -> None:
    replicas = Replicas("a", "b")
    await replicas.attempt("a")
    replicas.api.away = True
    await replicas.attempt("a", "b")
    assert replicas.leading == ["a"]
    replicas.clock.now += 10.0
    await replicas.attempt("a", "b")
    assert replicas.leading == []
    assert replicas.log.events("warning") == ["no Lease", "no Lease"]
    replicas.api.away = False
    await replicas.attempt("a")
    assert replicas.leading == ["a"]


async def test_two_that_take_over_at_once_are_one() -> None:
    replicas = Replicas("a", "b", "c")
    await replicas.attempt("a", "b", "c")
    replicas.clock.now += 15.0
    await asyncio.gather(replicas.attempt("b"), replicas.attempt("c"))
    assert len(replicas.leading) == 1


async def test_who_stops_lets_go_at_once() -> None:
    replicas = Replicas("a", "b")
    await replicas.attempt("a", "b")
    await replicas.all["a"]._release()
    await replicas.attempt("b")
    assert replicas.leading == ["b"]
