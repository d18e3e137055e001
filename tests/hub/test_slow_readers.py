"""Streams of responses whose callers are slow: they wait for them, and their deadlines hold."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from store_plugin.hub.calling import pending
from store_plugin.plugin import ahead
from store_plugin.stream import frames
from store_plugin.stream.features import ALL, Feature
from tests.hub.conftest import StartHub, StartPlugin
from tests.hub.raw import RawPlugin
from tests.support.echo import Echo, EchoStub
from tests.support.waiting import until

LARGE = 20_000


class Counting(Echo):
    """Tells how far it is. Its responses are as large as a test needs."""

    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.counted = 0
        self.size = size

    async def Count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            self.counted = number + 1
            yield b"%d" % number + b" " * self.size


async def test_a_caller_that_takes_nothing_is_told_so_at_the_deadline(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub = await start_hub()
    await start_plugin()
    await hub.plugin("echo").channel_ready()
    call = EchoStub(hub.plugin("echo")).Count(b"100", timeout=0.2)
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(grpc.aio.AioRpcError):
        [response async for response in call]


async def test_a_method_waits_for_its_caller_and_holds_up_no_other(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub, servicer = await start_hub(), Counting()
    await start_plugin(servicer=servicer)
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    call = stub.Count(b"2000")
    assert int(await call.read()) == 0
    await until(lambda: servicer.counted > ahead.MOST_AHEAD)
    for number in range(100):
        assert await stub.Say(b"%d" % number) == b"%d" % number
    assert servicer.counted <= pending.MOST_RESPONSES
    assert [int(response) async for response in call] == list(range(1, 2000))
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("size", [LARGE, 12 * LARGE], ids=["several fit", "none fits beside another"])
async def test_what_waits_for_a_caller_is_bounded_in_bytes(
    start_hub: StartHub, start_plugin: StartPlugin, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(ahead, "MOST_BYTES_AHEAD", 5 * LARGE)
    monkeypatch.setattr(pending, "MOST_RESPONSE_BYTES", 10 * LARGE)
    monkeypatch.setattr(pending, "TOLD_EACH_BYTES", LARGE // 2)
    hub, servicer = await start_hub(), Counting(size)
    await start_plugin(servicer=servicer)
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    call = stub.Count(b"200")
    assert int(await call.read()) == 0
    await until(lambda: servicer.counted > 16)
    for _ in range(100):
        await stub.Say(b"x")
    assert servicer.counted < 40
    assert [int(response) async for response in call] == list(range(1, 200))


async def test_a_method_that_waits_for_its_caller_ends_with_the_call(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub, servicer = await start_hub(), Counting()
    plugin = await start_plugin(servicer=servicer, concurrency=1)
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    call = stub.Count(b"2000")
    await until(lambda: servicer.counted > ahead.MOST_AHEAD)
    call.cancel()
    assert await stub.Say(b"next", timeout=20) == b"next"
    assert plugin.connected == 1


@pytest.mark.parametrize("features", [ALL, ALL - {Feature.FLOW_CONTROL}], ids=["new", "old"])
async def test_who_understands_it_is_told_what_the_caller_has_taken(
    start_hub: StartHub, endpoint: str, features: frozenset[Feature]
) -> None:
    hub = await start_hub()
    async with RawPlugin(endpoint) as plugin:
        await plugin.register(features=features)
        await plugin.receive()
        stub = EchoStub(hub.plugin("raw"))
        call = stub.Count(b"", timeout=60)
        asked = (await plugin.receive()).rpc_call
        for number in range(2 * pending.TOLD_EACH):
            await plugin.send(frames.response(asked.request_id, b"%d" % number, more=True))
        for number in range(2 * pending.TOLD_EACH):
            assert await call.read() == b"%d" % number
        if Feature.FLOW_CONTROL in features:
            for _ in range(2):
                told = (await plugin.receive()).taken
                assert (told.request_id, told.responses) == (asked.request_id, pending.TOLD_EACH)
        await plugin.send(frames.response(asked.request_id, b""))
        assert await call.read() is grpc.aio.EOF
        beside = asyncio.ensure_future(stub.Say(b"next", timeout=60))
        following = (await plugin.receive()).rpc_call
        await plugin.send(frames.response(following.request_id, b"next"))
        assert await beside == b"next"
