"""Plugins that come in at a bad moment, and hubs that do not come up: nothing is left behind."""

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog

from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest
from store_plugin.hub import Hub, HubListener, any_name, anyone
from store_plugin.hub.events import EventKind
from store_plugin.hub.logs import BURST, Refusals
from store_plugin.hub.peer import Identity, Peer
from store_plugin.hub.registry import Limits, Registry
from store_plugin.hub.settings import HubSettings
from store_plugin.stream import frames
from tests.hub.conftest import StartHub
from tests.hub.raw import RawPlugin
from tests.support.echo import EchoStub
from tests.support.fakes import RecordingLog
from tests.support.waiting import until


async def test_who_is_let_in_after_the_hub_began_to_stop_is_told_to_come_again(endpoint: str) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly(_identity: Identity, _name: str) -> None:
        asked.set()
        await answer.wait()

    hub = Hub([HubListener(Endpoint.parse(endpoint), anyone, slowly)], structlog.get_logger())
    await hub.start()
    async with RawPlugin(endpoint) as plugin:
        await plugin.register()
        await asked.wait()
        stopping = asyncio.create_task(hub.stop(5.0))
        await asyncio.sleep(0)
        answer.set()
        assert (await plugin.status())[0] is grpc.StatusCode.UNAVAILABLE
        await stopping
    assert len(hub.registry) == 0


async def test_a_plugin_that_nobody_could_be_told_of_is_not_left_in_the_registry(endpoint: str) -> None:
    def fails(_peer: Peer) -> None:
        raise RuntimeError("a bug of whoever listens")

    listener = HubListener(Endpoint.parse(endpoint), anyone, any_name)
    async with Hub([listener], structlog.get_logger(), joined=fails) as hub:
        async with RawPlugin(endpoint) as plugin:
            await plugin.register()
            assert (await plugin.status())[0] is grpc.StatusCode.UNKNOWN
        assert len(hub.registry) == 0


async def test_a_hub_that_cannot_listen_everywhere_listens_nowhere(endpoint: str) -> None:
    taken, log = f"{endpoint}-taken", structlog.get_logger()
    async with Hub([HubListener(Endpoint.parse(taken), anyone, any_name)], log):
        listeners = [HubListener(Endpoint.parse(one), anyone, any_name) for one in (endpoint, taken)]
        with pytest.raises(InvalidRequest, match="cannot listen"):
            await Hub(listeners, log).start()
        async with Hub(listeners[:1], log):  # which is free again
            pass


@pytest.mark.parametrize("mode", [0o600, 0o660], ids=oct)
async def test_a_path_socket_has_its_mode_and_replaces_a_stale_one(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "hub.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    listener = HubListener(Endpoint.parse(f"unix://{path}"), anyone, any_name, socket_mode=mode)
    async with Hub([listener], structlog.get_logger()) as hub:
        assert stat.S_IMODE(path.stat().st_mode) == mode
        async with RawPlugin(f"unix://{path}") as plugin:
            await plugin.register()
            await hub.plugin("raw").channel_ready()
    assert listener.private is (mode == 0o600)
    assert not path.exists()


async def test_a_refusal_is_one_event(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub(HubSettings(limits=Limits(plugins=1)))
    with hub.registry.events.listen() as events:
        async with RawPlugin(endpoint) as first, RawPlugin(endpoint) as second:
            await first.register("first")
            await hub.plugin("first").channel_ready()
            await second.register("second")
            assert (await second.status())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [event.kind async for event in events].count(EventKind.REFUSED) == 1


def test_strangers_that_knock_for_ever_fill_no_log() -> None:
    log, registry, now = RecordingLog(), Registry(), [0.0]
    refusals = Refusals(registry, log, lambda: now[0])
    with registry.events.listen() as events:
        for _ in range(10 * BURST):
            refusals.tell("vault", "", "no")
    assert len(log.lines) == BURST
    now[0] = 60.0
    refusals.tell("vault", "", "no")
    assert log.lines[-1][2]["lines_lost"] == 9 * BURST
    assert not events.missed


async def test_calls_that_wait_for_a_legacy_plugin_are_served_before_it_is_drained(
    start_hub: StartHub, endpoint: str
) -> None:
    hub = await start_hub()
    async with RawPlugin(endpoint) as plugin:
        await plugin.register()
        await hub.plugin("raw").channel_ready()
        calls: list[Any] = [EchoStub(hub.plugin("raw")).Say(b"%d" % number) for number in range(4)]
        asked = (await plugin.receive()).rpc_call
        stopping = asyncio.create_task(hub.stop(10.0))
        for number in range(4):
            await plugin.send(frames.response(asked.request_id, b"%d" % number))
            if number < 3:
                asked = (await plugin.receive()).rpc_call
        assert [await call for call in calls] == [b"0", b"1", b"2", b"3"]
        await asyncio.wait_for(stopping, 10)
    await until(lambda: len(hub.registry) == 0)


async def test_a_mistake_of_the_hub_ends_one_stream_and_is_told_with_its_place(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_registry: Registry, _entry: object) -> None:
        raise KeyError("s.CAESIcanaryX7f3")

    log = RecordingLog()
    hub = Hub([HubListener(Endpoint.parse(endpoint), anyone, any_name)], log)
    async with hub, RawPlugin(endpoint) as other, RawPlugin(endpoint) as plugin:
        await other.register("other")
        await plugin.register()
        await until(lambda: len(hub.registry) == 2)
        with monkeypatch.context() as patched:
            patched.setattr(Registry, "drain", fails)
            await plugin.send(frames.drain(0))
            assert (await plugin.status())[0] is grpc.StatusCode.OK
        await until(lambda: len(hub.registry) == 1)
    ((_, event, fields),) = [line for line in log.lines if line[0] == "error"]
    assert event == "plugin stream ended"
    assert "a bug (KeyError in store_plugin/hub/service.py:" in fields["problem"]
    assert "canary" not in log.text
