"""Events of the Pod: what becomes of them while the API server is slow, away, or forgets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from store_plugin.errors import Conflict, StoreUnavailable
from store_plugin.hub.events import EventKind, Events, RegistryEvent
from store_plugin.sidecar.hub import pod_events
from store_plugin.sidecar.hub.pod_events import PodEvents
from store_plugin.sidecar.settings import Pod
from tests.support.fakes import RecordingLog
from tests.support.waiting import until


class ApiServer:
    """Keeps Events by name, or fails as `failure` says; `slow` holds answers up."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.failure: Exception | None = None
        self.slow: asyncio.Event | None = None

    async def change(
        self, method: str, path: str, names: Mapping[str, str], body: Any, **_: object
    ) -> Mapping[str, Any] | None:
        self.requests.append(method)
        if self.slow is not None:
            await self.slow.wait()
        if self.failure is not None:
            raise self.failure
        if method == "POST":
            self.events[body["metadata"]["name"]] = dict(body)
            return body
        if names["name"] not in self.events:
            return None
        self.events[names["name"]].update(body)
        return body

    def told(self) -> list[tuple[str, str, int]]:
        return [(event["type"], event["reason"], event["count"]) for event in self.events.values()]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_events, "_PAUSE", 0.01)
    monkeypatch.setattr(pod_events, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(pod_events, "_RATE", 1000.0)


@asynccontextmanager
async def telling(server: ApiServer, log: RecordingLog | None = None) -> AsyncIterator[Events]:
    events, api = Events(), Any
    api = server
    with events.listen() as happening:
        writer = PodEvents(api, Pod("team-a", "operator-0", "uid"), happening, log or RecordingLog())  # type: ignore[arg-type]
        running = asyncio.create_task(writer.run())
        try:
            yield events
        finally:
            running.cancel()
            await asyncio.wait((running,))


def ready(name: str = "vault", kind: EventKind = EventKind.READY, **more: Any) -> RegistryEvent:
    return RegistryEvent(kind, name, "one", "1.0", **more)


async def test_an_event_is_about_the_pod_and_says_what_happened() -> None:
    server = ApiServer()
    async with telling(server) as events:
        events.tell(ready(kind=EventKind.CONNECTED, user="system:serviceaccount:team-a:vault"))
        await until(lambda: server.events)
    (event,) = server.events.values()
    about = {"apiVersion": "v1", "kind": "Pod", "namespace": "team-a", "name": "operator-0", "uid": "uid"}
    assert event["involvedObject"] == about
    assert event["message"] == (
        "plugin vault 1.0 (instance one) has connected as system:serviceaccount:team-a:vault"
    )


KINDS = {
    "connected": (ready(kind=EventKind.CONNECTED), "Normal", "PluginConnected"),
    "ready": (ready(), "Normal", "PluginReady"),
    "draining": (ready(kind=EventKind.DRAINING), "Normal", "PluginDraining"),
    "gone after a drain": (ready(kind=EventKind.GONE, drained=True), "Normal", "PluginGone"),
    "lost": (ready(kind=EventKind.GONE, why="it is gone"), "Warning", "PluginGone"),
    "refused": (ready(kind=EventKind.REFUSED, why="no"), "Warning", "PluginRefused"),
    "refused without a name": (ready("", EventKind.REFUSED, why="no"), "Warning", "PluginRefused"),
}


@pytest.mark.parametrize(("happened", "type_", "reason"), KINDS.values(), ids=KINDS)
async def test_each_kind_has_its_reason(happened: RegistryEvent, type_: str, reason: str) -> None:
    server = ApiServer()
    async with telling(server) as events:
        events.tell(happened)
        await until(lambda: server.told() == [(type_, reason, 1)])


async def test_what_happens_again_is_counted_in_the_same_event() -> None:
    server = ApiServer()
    async with telling(server) as events:
        for round_ in range(1, 4):
            events.tell(ready())
            await until(lambda round_=round_: server.told() == [("Normal", "PluginReady", round_)])
    assert server.requests == ["POST", "PATCH", "PATCH"]


async def test_an_event_that_the_api_server_let_go_is_made_anew() -> None:
    server = ApiServer()
    async with telling(server) as events:
        events.tell(ready())
        await until(lambda: server.events)
        server.events.clear()
        events.tell(ready())
        await until(lambda: server.told() == [("Normal", "PluginReady", 1)])


async def test_a_slow_api_server_holds_up_nobody_and_gets_the_sum() -> None:
    server = ApiServer()
    server.slow = asyncio.Event()
    async with telling(server) as events:
        for number in range(5 * pod_events.MOST_WAITING):
            events.tell(ready(f"plugin-{number % 2}"))
            await asyncio.sleep(0)
        server.slow.set()
        await until(lambda: sum(count for *_, count in server.told()) == 5 * pod_events.MOST_WAITING)
    assert len(server.requests) <= 4


async def test_lines_that_wait_are_bounded_and_the_newest_stay() -> None:
    server, number = ApiServer(), 2 * pod_events.MOST_WAITING
    server.slow = asyncio.Event()
    async with telling(server) as events:
        for position in range(number):
            events.tell(ready(f"plugin-{position}"))
            await asyncio.sleep(0)
        server.slow.set()
        last = f"plugin plugin-{number - 1} 1.0"
        await until(lambda: any(e["message"].startswith(last) for e in server.events.values()))
    assert len(server.events) <= pod_events.MOST_WAITING + 1


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), RuntimeError("a bug")], ids=["away", "a bug"])
async def test_a_failure_is_logged_once_and_passes(failure: Exception) -> None:
    server, log = ApiServer(), RecordingLog()
    server.failure = failure
    async with telling(server, log) as events:
        for kind in (EventKind.CONNECTED, EventKind.READY):
            events.tell(ready(kind=kind))
            await until(lambda: len(server.requests) >= 1)
        await until(lambda: len(server.requests) >= 2)
        server.failure = None
        events.tell(ready(kind=EventKind.DRAINING))
        await until(lambda: ("Normal", "PluginDraining", 1) in server.told())
    assert log.events("warning") == ["Events of the Pod cannot be written"]


async def test_an_answer_that_got_lost_is_no_failure() -> None:
    server, log = ApiServer(), RecordingLog()
    server.failure = Conflict("it exists")
    async with telling(server, log) as events:
        events.tell(ready())
        await until(lambda: server.requests)
    assert not log.lines
