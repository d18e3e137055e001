"""Plugins over a road that loses and breaks connections: each call ends, with an answer that is
its own or with an error, and nothing is left behind."""

import asyncio
import gc
from collections import Counter
from typing import Any

import grpc
import psutil
import pytest
import structlog

from store_plugin.endpoints import Endpoint
from store_plugin.hub import Hub, HubListener, HubSettings, any_name, anyone
from store_plugin.plugin import Plugin
from store_plugin.plugin.backoff import Backoff
from tests.hub.conftest import running, running_hub
from tests.support.echo import LOST, Echo, EchoStub, add_echo, answers
from tests.support.ports import free_port
from tests.support.rough_road import RoughRoad
from tests.support.waiting import until

SECONDS = 60.0
"""Long enough for a hundred connections to break."""
CALLERS = 8
BETWEEN_CALLS = 0.02
"""Seconds: others need the processor too."""


class Tally:
    """What became of the calls."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()

    async def call(self, stub: Any, number: int) -> None:
        sent = b"%d" % number
        try:
            got = await stub.Say(sent, timeout=5.0, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            assert error.code() in LOST, error
            self.ended[error.code().name] += 1
        else:
            assert got == sent
            self.ended["OK"] += 1


@pytest.mark.timeout(SECONDS + 300)
async def test_no_call_is_lost_without_an_error(monkeypatch: Any) -> None:
    monkeypatch.setitem(Backoff.__init__.__kwdefaults__, "longest", 0.3)
    tally, port = Tally(), free_port()
    listener = HubListener(Endpoint.parse(f"127.0.0.1:{port}"), anyone, any_name)
    settings = HubSettings(heartbeat_interval=0.3, max_stream_age=2.0, drain_grace=1.0)
    plugin = Plugin("echo", "1")
    add_echo(Echo(), plugin)
    process = psutil.Process()
    async with (
        running_hub(Hub([listener], structlog.get_logger(), settings), f"127.0.0.1:{port}") as hub,
        RoughRoad(port, seed=1) as road,
    ):
        tasks_before = len(asyncio.all_tasks())
        async with running(plugin, f"dns:///127.0.0.1:{road.port}"):
            stub = EchoStub(hub.plugin("echo"))
            enough = asyncio.Event()

            async def caller(first: int) -> None:
                number = first
                while not enough.is_set():
                    await tally.call(stub, number)
                    number += CALLERS
                    await asyncio.sleep(BETWEEN_CALLS)

            started = process.memory_info().rss
            async with asyncio.timeout(SECONDS + 120), asyncio.TaskGroup() as group:
                for first in range(CALLERS):
                    group.create_task(caller(first))
                await asyncio.sleep(SECONDS)
                # A busy machine takes longer for as many.
                await until(lambda: road.dropped > 30 and tally.ended["OK"] > 100, within=90)
                enough.set()
            road.smooth = True
            await answers(stub)
            await until(lambda: all(not e.instance.in_flight for e in hub.registry.entries()))
            gc.collect()
            assert process.memory_info().rss - started < 64 * 1024 * 1024
        await until(lambda: len(hub.registry) == 0)
        await until(lambda: tasks_now() <= tasks_before)


def tasks_now() -> int:
    """Those of the proxy's connections included, which gRPC lets go with its last object."""
    gc.collect()
    return len(asyncio.all_tasks())
