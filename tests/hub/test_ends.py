"""How streams end: silence, age, a stop, a peer that reads nothing; and how plugins come back."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import grpc
import pytest

from store_plugin.hub.events import EventKind
from store_plugin.hub.registry import OnDuplicate
from store_plugin.hub.service import PluginStreams
from store_plugin.hub.settings import HubSettings
from store_plugin.stream import frames
from store_plugin.stream.features import ALL
from tests.hub.conftest import FOR_EVER, StartHub, StartPlugin
from tests.hub.raw import RawPlugin
from tests.support.echo import Echo, EchoStub, Held, answers
from tests.support.processes import stop
from tests.support.waiting import until

PLUGIN = """
import asyncio, sys
from store_plugin.plugin import Plugin
from tests.support.echo import Echo, add_echo
plugin = Plugin("echo", "1", instance_id=sys.argv[2])
add_echo(Echo(), plugin)
asyncio.run(plugin.run(sys.argv[1]))
"""


@contextmanager
def plugin_process(endpoint: str, instance: str = "process") -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", PLUGIN, endpoint, instance])
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


async def test_a_stopped_process_is_noticed_by_its_silence(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub(HubSettings(heartbeat_interval=0.2))
    with plugin_process(endpoint) as process:
        await asyncio.wait_for(hub.plugin("echo").channel_ready(), 20)
        with hub.registry.events.listen() as events:
            stop(process.pid)
            call = EchoStub(hub.plugin("echo")).Wait(b"30")
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            gone = await asyncio.wait_for(anext(events), 10)
            assert gone.kind is EventKind.GONE
            assert "no sign of life" in gone.why
        os.kill(process.pid, signal.SIGCONT)
        await asyncio.wait_for(hub.plugin("echo").channel_ready(), 20)
        await answers(EchoStub(hub.plugin("echo")))


async def test_a_killed_process_fails_its_calls(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub()
    with plugin_process(endpoint) as process:
        await asyncio.wait_for(hub.plugin("echo").channel_ready(), 20)
        calls = [EchoStub(hub.plugin("echo")).Wait(b"30") for _ in range(10)]
        await until(lambda: hub.registry.entries()[0].instance.in_flight == 10)
        process.kill()
        assert {await call.code() for call in calls} == {grpc.StatusCode.UNAVAILABLE}
        await until(lambda: len(hub.registry) == 0)


async def test_sigterm_lets_calls_finish(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub()
    with plugin_process(endpoint) as process:
        await asyncio.wait_for(hub.plugin("echo").channel_ready(), 20)
        calls = [EchoStub(hub.plugin("echo")).Wait(b"1") for _ in range(10)]
        await until(lambda: hub.registry.entries()[0].instance.in_flight == 10)
        process.terminate()
        assert await asyncio.gather(*calls) == [b"1"] * 10
        assert await asyncio.to_thread(process.wait, 20) == 0


async def test_legacy_peers_get_no_heartbeat_and_live(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub(HubSettings(heartbeat_interval=0.02))
    async with RawPlugin(endpoint) as plugin:
        await plugin.register()
        await hub.plugin("raw").channel_ready()
        with pytest.raises(TimeoutError):
            await plugin.receive_bytes(within=0.3)
        assert len(hub.registry) == 1


async def test_pings_are_answered_and_asked(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub(HubSettings(heartbeat_interval=0.05, missed_heartbeats=FOR_EVER))
    async with RawPlugin(endpoint) as plugin:
        await plugin.register(features=ALL)
        await plugin.receive()
        asked = frames.Frame.FromString(await plugin.receive_bytes())
        assert asked.ping.sequence == 1
        frame = frames.Frame()
        frame.ping.sequence = 99
        await plugin.send(frame)
        assert (await plugin.receive()).pong.sequence == 99
        assert len(hub.registry) == 1


async def test_a_plugin_comes_back_to_a_hub_that_was_restarted(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    first = await start_hub()
    plugin = await start_plugin()
    await first.plugin("echo").channel_ready()
    await first.stop(1.0)
    await until(lambda: plugin.connected == 0)
    second = await start_hub()
    assert await EchoStub(second.plugin("echo")).Say(b"again", wait_for_ready=True, timeout=20) == b"again"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("on_duplicate", OnDuplicate)
async def test_an_old_stream_is_renewed_without_a_failed_call(
    start_hub: StartHub, start_plugin: StartPlugin, on_duplicate: OnDuplicate
) -> None:
    settings = HubSettings(
        max_stream_age=0.2, heartbeat_interval=0.05, missed_heartbeats=FOR_EVER, drain_grace=30.0
    )
    hub = await start_hub(replace(settings, on_duplicate=on_duplicate))
    await start_plugin()
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    generations = set()
    with hub.registry.events.listen() as events:
        while len(generations) < 4:
            generations.add(hub.registry.entries()[0].generation)
            assert await stub.Say(b"x") == b"x"
        assert events.missed == 0


async def test_stop_waits_for_calls_and_not_longer_than_its_grace(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    servicer = Echo()
    hub = await start_hub()
    await start_plugin(servicer=servicer)
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    quick, slow = stub.Wait(b"0.1"), stub.Wait(b"60")
    await until(lambda: servicer.waiting == 2)
    await asyncio.wait_for(hub.stop(3.0), 30)
    assert await quick == b"0.1"
    assert await slow.code() is grpc.StatusCode.UNAVAILABLE
    assert (await stub.Say(b"x").code()) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("grace", "for_calls"), [(3.0, 2.5), (0.5, 0.25), (0.0, 0.0)])
async def test_the_last_words_of_a_hub_that_stops_are_within_its_grace(
    start_hub: StartHub, endpoint: str, monkeypatch: pytest.MonkeyPatch, grace: float, for_calls: float
) -> None:
    given, drained = list[float](), list[float]()
    stop_server, drain = type(grpc.aio.server()).stop, PluginStreams.drain

    async def server_stopped(server: grpc.aio.Server, seconds: float) -> None:
        given.append(seconds)
        await stop_server(server, seconds)

    async def streams_drained(streams: PluginStreams, seconds: float) -> None:
        drained.append(seconds)
        await drain(streams, seconds)

    hub = await start_hub()
    async with RawPlugin(endpoint) as plugin:
        await plugin.register(features=ALL)
        await plugin.receive()
        hanging = EchoStub(hub.plugin("raw")).Wait(b"60", timeout=60)
        assert (await plugin.receive()).HasField("rpc_call")
        with monkeypatch.context() as patched:
            patched.setattr(type(grpc.aio.server()), "stop", server_stopped)
            patched.setattr(PluginStreams, "drain", streams_drained)
            await asyncio.wait_for(hub.stop(grace), 30)
        assert await hanging.code() is grpc.StatusCode.UNAVAILABLE
    assert drained == [for_calls]
    assert given == [grace, grace - for_calls]


def listens(endpoint: str) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex("\0" + endpoint.removeprefix("unix:///@")) == 0


async def test_nobody_new_comes_in_while_calls_finish(
    start_hub: StartHub, start_plugin: StartPlugin, endpoint: str
) -> None:
    hub, servicer = await start_hub(), Held()
    await start_plugin(servicer=servicer)
    await hub.plugin("echo").channel_ready()
    call = EchoStub(hub.plugin("echo")).Say(b"x", timeout=60)
    await until(lambda: servicer.running)
    assert listens(endpoint)
    stopping = asyncio.create_task(hub.stop(60.0))
    await until(lambda: not listens(endpoint))
    assert servicer.running
    servicer.may_go.set()
    await stopping
    assert await call == b"x"


async def test_a_drain_of_many_plugins_loses_no_call(start_hub: StartHub, start_plugin: StartPlugin) -> None:
    hub = await start_hub()
    for number in range(100):
        await start_plugin(f"echo-{number}")
    await until(lambda: len(hub.registry) == 100)
    calls = [EchoStub(hub.plugin(f"echo-{n}")).Wait(b"0.5") for n in range(100)]
    await until(lambda: all(e.instance.in_flight for e in hub.registry.entries()))
    await hub.stop(20.0)
    assert await asyncio.gather(*calls) == [b"0.5"] * 100


async def test_a_peer_that_reads_nothing_is_given_up(
    start_hub: StartHub, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store_plugin.stream.outbox.STALL_SECONDS", 0.3)
    hub = await start_hub()
    async with RawPlugin(endpoint) as plugin:
        await plugin.register(features=ALL)
        await hub.plugin("raw").channel_ready()
        plugin.stop_reading()
        stub = EchoStub(hub.plugin("raw"))
        calls = [stub.Say(b"x" * 1024 * 1024, timeout=60) for _ in range(64)]
        assert {await call.code() for call in calls} == {grpc.StatusCode.UNAVAILABLE}
        plugin.read_on()
        assert (await plugin.status())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        await until(lambda: len(hub.registry) == 0)


async def test_the_plugins_end_of_a_stream_is_an_orderly_end(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub()
    async with RawPlugin(endpoint) as plugin:
        await plugin.register()
        await hub.plugin("raw").channel_ready()
        await plugin.call.done_writing()
        assert (await plugin.status())[0] is grpc.StatusCode.OK
    assert len(hub.registry) == 0
