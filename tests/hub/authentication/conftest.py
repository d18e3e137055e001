"""Hubs that let in whom they know, and plugins that try."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.hub.access import HubAccess, listeners
from store_plugin.hub.authentication import accessreview, reviewing, tokenreview
from store_plugin.hub.events import EventKind, RegistryEvent
from store_plugin.hub.hub import Hub
from store_plugin.hub.settings import HubSettings
from store_plugin.plugin import Plugin
from tests.support.echo import Echo, EchoStub, add_echo
from tests.support.fakes import RecordingLog
from tests.support.waiting import until


@dataclass
class WatchedHub:
    """A hub, all events of its registry, and its log."""

    hub: Hub
    log: RecordingLog
    events: list[RegistryEvent] = field(default_factory=list)

    def told(self, kind: EventKind) -> list[RegistryEvent]:
        return [event for event in self.events if event.kind is kind]

    async def say(self, name: str, text: bytes) -> bytes:
        answer = await EchoStub(self.hub.plugin(name)).Say(text, timeout=10)
        assert isinstance(answer, bytes)
        return answer


OpenHub = Callable[..., Awaitable[WatchedHub]]


@pytest.fixture
async def open_hub() -> AsyncIterator[OpenHub]:
    """A hub that listens at `endpoint` for those whom `access` knows."""
    async with AsyncExitStack() as stack:

        async def start(endpoint: str, access: HubAccess, settings: HubSettings | None = None) -> WatchedHub:
            log = RecordingLog()
            found = await stack.enter_async_context(listeners([Endpoint.parse(endpoint)], access, log))
            watched = WatchedHub(Hub(found, log, settings), log)
            watching = asyncio.create_task(_watch(watched))
            stack.push_async_callback(_end, watching)
            await watched.hub.start()
            stack.push_async_callback(watched.hub.stop, 1.0)
            return watched

        yield start


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hubs that wait long for an API server which is busy, and keep its answers for long."""
    monkeypatch.setattr(reviewing, "YES_SECONDS", 3600.0)
    monkeypatch.setattr(reviewing, "_ASK_SECONDS", 60.0)
    for module in (accessreview, tokenreview):
        monkeypatch.setattr(module, "CALL_SECONDS", 60.0)


@dataclass
class Guest:
    """A plugin that tries to come in, and its log."""

    plugin: Plugin
    log: RecordingLog

    async def refused(self, within: float = 20.0) -> str:
        """What its log tells of its refusal."""
        await until(lambda: "PLUGIN_REFUSED" in self.log.text, within)
        return self.log.text


Visit = Callable[..., Awaitable[Guest]]


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    """A plugin `name` that dials `endpoint` until the test is over; `options` are those of `run`."""
    async with AsyncExitStack() as stack:

        async def start(name: str, endpoint: str, servicer: Echo | None = None, **options: Any) -> Guest:
            guest = Guest(Plugin(name, "1.0", log=(log := RecordingLog())), log)
            add_echo(servicer or Echo(), guest.plugin)
            running = asyncio.create_task(guest.plugin.run(endpoint, signals=(), **options))
            stack.push_async_callback(_end, running)
            return guest

        yield start


async def _watch(watched: WatchedHub) -> None:
    with watched.hub.registry.events.listen() as events:
        async for event in events:
            watched.events.append(event)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
