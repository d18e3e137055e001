"""What is too large fails its own call, and no other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest
from store_plugin.hub.calling import pending
from store_plugin.hub.settings import Alias, HubSettings
from store_plugin.stream import frames
from store_plugin.stream.features import ALL
from tests.hub.conftest import StartHub, StartPlugin
from tests.hub.raw import RawPlugin
from tests.support.echo import Echo, EchoStub
from tests.support.waiting import until

LIMIT = 64 * 1024
UNTOLD = frames.UNTOLD_MESSAGE_BYTES


class Large(Echo):
    """Answers with as many bytes as it is asked for."""

    async def Say(self, request: bytes, context: Any) -> bytes:
        return b"x" * int(request[-9:])


@pytest.mark.parametrize(
    ("asked", "told"),
    [(b"%d" % LIMIT, "the response takes"), (b"1".zfill(LIMIT), "the request to")],
    ids=["response", "request"],
)
async def test_a_message_over_the_limit_fails_its_call_and_the_stream_lives(
    start_hub: StartHub, start_plugin: StartPlugin, asked: bytes, told: str
) -> None:
    hub = await start_hub(HubSettings(max_message_bytes=LIMIT))
    servicer = Large()
    await start_plugin(servicer=servicer)
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    beside = stub.Wait(b"0.3")
    await until(lambda: servicer.waiting)
    with pytest.raises(grpc.aio.AioRpcError, match=told) as failure:
        await stub.Say(asked, timeout=10)
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(LIMIT) in str(failure.value.details())
    assert await beside == b"0.3"
    assert await stub.Say(b"%d" % (LIMIT - 100)) == b"x" * (LIMIT - 100)
    assert hub.registry.entries()[0].generation == 1


async def test_a_hub_may_take_more_than_is_usual(start_hub: StartHub, start_plugin: StartPlugin) -> None:
    most = 32 * 1024 * 1024
    hub = await start_hub(HubSettings(max_message_bytes=most))
    await start_plugin(servicer=Large())
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    size = most - 1000
    assert len(await stub.Say(b"%d" % size, timeout=60)) == size
    assert await stub.Say(b"1".zfill(size), timeout=60) == b"x"
    assert hub.registry.entries()[0].generation == 1


@pytest.mark.parametrize("most", [0, -1, frames.MOST_MESSAGE_BYTES + 1])
def test_a_limit_that_plugins_do_not_take_is_refused(most: int) -> None:
    with pytest.raises(InvalidRequest, match=f"max_message_bytes is {most}: it may be 1 to 67108864"):
        HubSettings(max_message_bytes=most)


class Verbose(Echo):
    """Fails, or ends, with more than a message holds."""

    async def Refuse(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.ABORTED, "x" * 2 * LIMIT)
        raise AssertionError

    async def Count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"1"
        context.set_trailing_metadata((("why", "x" * 2 * LIMIT),))


async def test_a_failure_over_the_limit_fails_its_call_and_the_stream_lives(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub = await start_hub(HubSettings(max_message_bytes=LIMIT))
    await start_plugin(servicer=Verbose())
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    for call in (stub.Refuse(b""), stub.Count(b"")):
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert f"{LIMIT} is the limit" in await call.details()
    assert await stub.Say(b"still") == b"still"
    assert hub.registry.entries()[0].generation == 1


@pytest.mark.parametrize("envelope", [False, True], ids=["plain", "enveloped"])
async def test_a_peer_that_is_not_told_of_a_limit_gets_what_grpc_takes(
    start_hub: StartHub, endpoint: str, envelope: bool
) -> None:
    """The largest there may be, and one byte more, which would end the stream."""
    hub = await start_hub(HubSettings(aliases=(Alias("tests.Alias", envelope),)))
    async with RawPlugin(endpoint, "/tests.Alias/PluginStream") as plugin:
        register = frames.register("raw", "1.0").SerializeToString()
        await plugin.send(proto.PluginEnvelope(data=register).SerializeToString() if envelope else register)
        await hub.plugin("raw").channel_ready()
        stub = EchoStub(hub.plugin("raw"))
        besides = frames.call("1", "Say", b"x" * UNTOLD).ByteSize() - UNTOLD
        around = proto.PluginEnvelope(data=b"x" * UNTOLD).ByteSize() - UNTOLD if envelope else 0
        largest = UNTOLD - besides - around
        with pytest.raises(grpc.aio.AioRpcError, match="the request to") as failure:
            await stub.Say(b"x" * (largest + 1), timeout=20)
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        call = stub.Say(b"x" * largest, timeout=20)
        assert len(await plugin.receive_bytes()) == UNTOLD
        call.cancel()
        assert len(hub.registry) == 1


async def test_responses_that_nobody_takes_are_bounded_in_bytes(
    start_hub: StartHub, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "MOST_RESPONSE_BYTES", 100_000)
    hub = await start_hub()
    async with RawPlugin(endpoint) as plugin:
        await plugin.register(features=ALL)
        await plugin.receive()
        stream: Any = EchoStub(hub.plugin("raw")).Count(b"1")
        asked = (await plugin.receive()).rpc_call
        for _ in range(40):
            await plugin.send(frames.response(asked.request_id, b"x" * 10_000, more=True))
        assert (await plugin.receive()).cancel.request_id == asked.request_id
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            async for _ in stream:
                await asyncio.sleep(0)
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("service", ["pluginframework.v1.PluginFrameworkService", "grpc.health.v1.Health"])
async def test_what_is_compressed_is_refused_before_it_is_taken_apart(
    start_hub: StartHub, endpoint: str, service: str
) -> None:
    await start_hub(HubSettings(max_message_bytes=LIMIT))
    compression = grpc.Compression.Gzip
    options = [("grpc.default_authority", "localhost")]
    target = Endpoint.parse(endpoint).target
    async with grpc.aio.insecure_channel(target, options, compression) as channel:
        if service.endswith("Health"):
            call: Any = channel.unary_unary(f"/{service}/Check")(bytes(100 * LIMIT))
        else:
            call = channel.stream_stream(f"/{service}/PluginStream")(iter([bytes(100 * LIMIT)]))
        # A stream has a handler by then: where that ends first, as its stream breaks, it is INTERNAL.
        assert await call.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL)
