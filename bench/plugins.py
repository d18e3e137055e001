"""`make bench BENCH_ARGS=--plugins`: what a call to a plugin costs beside the same call made
directly to the same process, what a thousand plugins cost a hub, and how soon a lost one is noticed.

The hub is in this process, as it is in an operator; plugins are processes of their own.
"""

import asyncio
import logging
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import grpc
import psutil
import uvloop

from bench.figures import Table
from bench.load import PAYLOAD, measure
from bench.plugin_peer import SERVICE, name
from bench.process import background
from store_plugin.endpoints import Endpoint
from store_plugin.hub import Hub, HubListener, HubSettings, any_name, anyone
from store_plugin.hub.events import EventKind
from store_plugin.hub.registry import Limits

MANY = 1000
DRAINED = 100
CALLERS = 64
HEARTBEAT = 10.0
QUICK_HEARTBEAT = 0.5

Call = Callable[[int], Awaitable[object]]


def plugins(table: Table, rounds: int, seconds: float) -> None:
    """All figures."""
    logging.basicConfig(level=logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_calls(table, rounds, seconds))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_many(table, rounds, seconds))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_lost(table, rounds))


async def _calls(table: Table, rounds: int, seconds: float) -> None:
    """Through the stream, and directly, in turn."""
    async with _hub() as (hub, endpoint), _peer(hub, endpoint, 1) as (direct, _):
        through = _call(hub.plugin(name(0)), "Echo")
        async with grpc.aio.insecure_channel(direct) as channel:
            straight = _call(channel, "Echo")
            for callers in (1, CALLERS):
                ratios, rates, latencies = [], [], []
                for _ in range(rounds):
                    one = await measure(through, callers, seconds)
                    other = await measure(straight, callers, seconds)
                    ratios.append(one["p50"] / other["p50"])
                    rates.append(one["calls"] / other["calls"])
                    latencies.append((one["p50"], other["p50"]))
                who = f"{callers} caller{'s' if callers > 1 else ''}"
                table.add(f"p50 of a direct call to a plugin, {who}", _median(b for _, b in latencies), "ms")
                table.add(
                    f"p50 of the call through its stream, {who}", _median(a for a, _ in latencies), "ms"
                )
                if callers == 1:
                    table.add(
                        "through the stream / direct, p50, 1 caller", statistics.median(ratios), "x", 1.5
                    )
                else:
                    lost = 1 / statistics.median(rates)
                    table.add(f"throughput direct / through the stream, {who}", lost, "x", 1 / 0.6)


async def _many(table: Table, rounds: int, seconds: float) -> None:
    """A hub with one plugin, then with a thousand more."""
    here = psutil.Process()
    settings = HubSettings(heartbeat_interval=HEARTBEAT, limits=Limits(plugins=2 * MANY))
    async with _hub(settings) as (hub, endpoint), _peer(hub, endpoint, 1):
        call = _call(hub.plugin(name(0)), "Echo")
        alone = [(await measure(call, 1, seconds))["p50"] for _ in range(rounds)]
        before = here.memory_info().rss
        async with _peer(hub, endpoint, MANY, first=1):
            each = (here.memory_info().rss - before) / MANY / 1024
            table.add(f"memory of the hub for each of {MANY} plugins", each, "KiB", 60)
            spent = _cpu(here)
            await asyncio.sleep(2 * HEARTBEAT)
            share = (_cpu(here) - spent) / (2 * HEARTBEAT)
            table.add(f"heartbeats of {MANY} plugins, share of a core", 100 * share, "%", 5)
            crowded = [(await measure(call, 1, seconds))["p50"] for _ in range(rounds)]
    ratio = statistics.median(crowded) / statistics.median(alone)
    table.add(f"p50 of a call, {MANY} plugins / 1 plugin, 1 caller", ratio, "x", 1.3)


async def _lost(table: Table, rounds: int) -> None:
    """A killed plugin, a stopped one, and the drain of many."""
    killed, stopped = [], []
    settings = HubSettings(heartbeat_interval=QUICK_HEARTBEAT)
    async with _hub(settings) as (hub, endpoint):
        for _ in range(rounds):
            async with _peer(hub, endpoint, 1) as (_, process):
                killed.append(1000 * await _end(hub, process, signal.SIGKILL))
            async with _peer(hub, endpoint, 1) as (_, process):
                stopped.append(await _end(hub, process, signal.SIGSTOP) / QUICK_HEARTBEAT)
                process.resume()
    table.add("calls of a killed plugin fail after, worst", max(killed), "ms", 50)
    table.add("a stopped plugin is noticed after, worst", max(stopped), "heartbeats", 3)
    async with _hub() as (hub, endpoint), _peer(hub, endpoint, DRAINED):
        calls = [asyncio.ensure_future(_call(hub.plugin(name(n)), "Wait", b"1")(n)) for n in range(DRAINED)]
        await asyncio.sleep(0.5)
        await hub.stop(20.0)
        failed = sum(
            isinstance(one, Exception) for one in await asyncio.gather(*calls, return_exceptions=True)
        )
        table.add(f"calls lost in the drain of {DRAINED} plugins", failed, "", 0)


async def _end(hub: Hub, process: psutil.Process, by: signal.Signals) -> float:
    """Seconds from a signal to the end of all calls under way."""
    calls = [asyncio.ensure_future(_call(hub.plugin(name(0)), "Wait", b"60")(n)) for n in range(16)]
    await asyncio.sleep(0.3)
    begin = time.perf_counter()
    os.kill(process.pid, by)
    await asyncio.wait(calls)
    assert all(call.exception() for call in calls)
    return time.perf_counter() - begin


@asynccontextmanager
async def _hub(settings: HubSettings | None = None) -> AsyncIterator[tuple[Hub, str]]:
    endpoint = f"unix:///@store-plugin-bench/{uuid4().hex}"
    async with Hub([HubListener(Endpoint.parse(endpoint), anyone, any_name)], settings=settings) as hub:
        yield hub, endpoint


@asynccontextmanager
async def _peer(
    hub: Hub, endpoint: str, number: int, first: int = 0
) -> AsyncIterator[tuple[str, psutil.Process]]:
    """A process with so many plugins, connected; and where it is reached directly."""
    direct = f"unix-abstract:store-plugin-bench/{uuid4().hex}"
    command = (sys.executable, "-m", "bench.plugin_peer", endpoint, direct, str(first), str(number))
    with hub.registry.events.listen() as events, background(*command) as process:
        for _ in range(number):
            await _next(events, EventKind.READY)
        yield direct, process
        with suppress(psutil.NoSuchProcess):
            process.kill()
        while len(hub.registry) > first:
            await asyncio.sleep(0.01)


async def _next(events: AsyncIterator[object], kind: EventKind) -> None:
    async with asyncio.timeout(60):
        while (await anext(events)).kind is not kind:  # type: ignore[attr-defined]
            pass


def _call(channel: grpc.aio.Channel, method: str, payload: bytes = PAYLOAD) -> Call:
    multicallable = channel.unary_unary(f"/{SERVICE}/{method}")

    async def call(_number: int) -> object:
        return await multicallable(payload, timeout=60)

    return call


def _median(values: object) -> float:
    return statistics.median(values)  # type: ignore[call-overload,no-any-return]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
