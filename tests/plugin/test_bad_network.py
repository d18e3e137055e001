"""Plugins and a hub over a network that drops, delays, truncates and swallows connections.

STORE_PLUGIN_BAD_NETWORK_SECONDS=60 makes a longer run of it.
"""

import asyncio
import functools
import gc
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.hub import Hub, HubListener
from store_plugin.hub.session import Session
from store_plugin.hub.settings import HubSettings
from store_plugin.plugin import Plugin, serving
from store_plugin.plugin.backoff import Backoff
from store_plugin.plugin.connecting import dialing, link
from store_plugin.plugin.serving import HubStream
from tests.hub.conftest import running, running_hub
from tests.support.bad_network import BadNetwork
from tests.support.echo import LOST, Echo, EchoStub, add_echo, answers
from tests.support.fakes import RecordingLog
from tests.support.ports import free_port
from tests.support.waiting import until

SECONDS = float(os.environ.get("STORE_PLUGIN_BAD_NETWORK_SECONDS", "10"))
PLUGINS = 6
CALLERS_OF_EACH = 4
CALL_SECONDS = 2.0
SETTINGS = HubSettings(heartbeat_interval=0.2, register_within=2.0, drain_grace=1.0, max_stream_age=3.0)
EXPECTED = {code.name for code in LOST}
"""What a call may end with, beside its answer."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many connections in a short time."""
    monkeypatch.setattr(dialing, "DIAL_SECONDS", 1.0)
    monkeypatch.setattr(serving, "LET_IN_WITHIN", 1.0)
    monkeypatch.setattr(link, "Backoff", functools.partial(Backoff, longest=0.5))


@asynccontextmanager
async def hub_behind(address: str) -> AsyncIterator[Hub]:
    log = RecordingLog()
    listener = HubListener(Endpoint.parse(address), anyone, any_name)
    async with running_hub(Hub([listener], log, SETTINGS), address) as hub:
        yield hub
    assert "error" not in {level for level, _, _ in log.lines}, log.events("error")


async def call_on(hub: Hub, name: str, enough: asyncio.Event, ended: "Counter[str]") -> None:
    """Call after call; an answer is that of the very call."""
    say: Any = EchoStub(hub.plugin(name)).Say
    chance = random.Random(name)
    while not enough.is_set():
        sent = chance.randbytes(chance.choice((1, 100, 10_000)))
        try:
            # Whatever the network does, a call ends soon after its deadline.
            answer = await asyncio.wait_for(say(sent, timeout=CALL_SECONDS), CALL_SECONDS + 8)
        except grpc.aio.AioRpcError as error:
            ended[error.code().name] += 1
            await asyncio.sleep(0.02)
        else:
            assert answer == sent
            ended["OK"] += 1


def left_over(kind: type) -> int:
    gc.collect()
    return sum(isinstance(found, kind) for found in gc.get_objects())


@pytest.mark.timeout(SECONDS + 240)
async def test_no_call_is_lost_and_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    sessions, streams = left_over(Session), left_over(HubStream)
    await plugins_in_trouble()
    await until(lambda: asyncio.all_tasks() <= before, within=30)
    await until(lambda: left_over(Session) <= sessions and left_over(HubStream) <= streams, within=30)


async def plugins_in_trouble() -> None:
    """Until the network is well again, and so is everybody on it."""
    port, enough, ended = free_port(), asyncio.Event(), Counter[str]()
    names = [f"plugin-{number}" for number in range(PLUGINS)]
    async with (
        hub_behind(f"127.0.0.1:{port}") as hub,
        BadNetwork("127.0.0.1", port, random.Random(1)) as network,
        AsyncExitStack() as stack,
    ):
        for name in names:
            plugin = Plugin(name, "1.0", log=RecordingLog())
            add_echo(Echo(), plugin)
            await stack.enter_async_context(running(plugin, network.address))
        async with asyncio.TaskGroup() as callers:
            for name in names * CALLERS_OF_EACH:
                callers.create_task(call_on(hub, name, enough, ended))
            await asyncio.sleep(SECONDS)
            # A busy machine takes longer for as many.
            await until(lambda: network.connections > 3 * PLUGINS, within=60)
            await until(lambda: ended["OK"] and ended["UNAVAILABLE"], within=60)
            enough.set()
        assert ended.keys() - {"OK"} <= EXPECTED

        network.healed = True
        await until(lambda: len(hub.registry) == PLUGINS, within=60)
        for name in names:
            await answers(EchoStub(hub.plugin(name)))
        await until(lambda: left_over(Session) <= 2 * PLUGINS, within=30)
