"""Replies that are early, late, doubled or made up never end a stream; legacy peers get one
call at a time."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from store_plugin.hub import session as session_module
from store_plugin.hub.hub import Hub
from store_plugin.hub.settings import HubSettings
from store_plugin.stream import frames
from store_plugin.stream.features import ALL, Feature
from store_plugin.stream.outcomes import MOST_MESSAGE
from tests.hub.conftest import StartHub
from tests.hub.raw import RawPlugin
from tests.support.echo import EchoStub
from tests.support.waiting import until


@pytest.fixture
async def hub(start_hub: StartHub) -> Hub:
    return await start_hub()


def say(hub: Hub, request: bytes = b"x", **options: Any) -> "asyncio.Future[bytes]":
    return asyncio.ensure_future(EchoStub(hub.plugin("raw")).Say(request, **options))


async def failure_of(call: "asyncio.Future[bytes]") -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await asyncio.wait_for(call, 10)
    return failure.value


async def ready(plugin: RawPlugin, hub: Hub, **registration: Any) -> Any:
    await plugin.register(**registration)
    await hub.plugin("raw").channel_ready()
    if registration.get("features"):
        await plugin.receive()
    return hub.registry.entries()[0].instance


async def test_unknown_late_and_doubled_replies_are_counted_and_dropped(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        session = await ready(plugin, hub, features=ALL)
        await plugin.send(frames.response("4711", b"nobody asked"))
        late = say(hub, timeout=0.05)
        asked = (await plugin.receive()).rpc_call
        assert (await failure_of(late)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert (await plugin.receive()).cancel.request_id == asked.request_id
        await plugin.send(frames.response(asked.request_id, b"too late"))
        call = say(hub)
        asked = (await plugin.receive()).rpc_call
        await plugin.send(frames.response(asked.request_id, b"first"))
        await plugin.send(frames.response(asked.request_id, b"second"))
        assert await call == b"first"
        await until(lambda: session.dropped == 3)
        assert not session.ended.done()


async def test_a_legacy_peer_gets_one_call_at_a_time(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub)
        calls = [say(hub, b"%d" % n) for n in range(3)]
        for n in range(3):
            asked = (await plugin.receive()).rpc_call
            assert asked.method == "Say"
            assert not asked.HasField("timeout")
            assert asked.payload == b"%d" % n
            with pytest.raises(TimeoutError):
                await plugin.receive(within=0.05)
            await plugin.send(frames.response(asked.request_id, b"ok"))
            assert await calls[n] == b"ok"


async def test_a_legacy_error_without_an_id_fails_the_one_call(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub)
        first, second = say(hub), say(hub)
        await plugin.receive()
        await plugin.send(frames.error("", "Unimplemented", "unknown method Say"))
        assert (await failure_of(first)).code() is grpc.StatusCode.UNIMPLEMENTED
        asked = (await plugin.receive()).rpc_call
        await plugin.send(frames.response(asked.request_id, b"fine"))
        assert await second == b"fine"


async def test_the_late_error_of_a_legacy_peer_hits_nobody_else(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub)
        late = say(hub, timeout=0.05)
        await plugin.receive()
        assert (await failure_of(late)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        following = say(hub)
        with pytest.raises(TimeoutError):
            await plugin.receive(within=0.05)  # it is still busy
        await plugin.send(frames.error("", "RPC_ERROR", "for the first"))
        asked = (await plugin.receive()).rpc_call
        await plugin.send(frames.response(asked.request_id, b"fine"))
        assert await following == b"fine"


async def test_a_legacy_peer_that_hangs_is_given_up(
    hub: Hub, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "LEGACY_STUCK_SECONDS", 0.1)
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub)
        assert (await failure_of(say(hub, timeout=0.05))).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert (await failure_of(say(hub))).code() is grpc.StatusCode.UNAVAILABLE
        await until(lambda: len(hub.registry) == 0)


async def test_a_legacy_peer_is_not_busy_with_what_was_never_sent(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub(HubSettings(max_message_bytes=1000))
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub)
        too_large = say(hub, b"x" * 2000)
        assert (await failure_of(too_large)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        call = say(hub, timeout=20)
        asked = (await plugin.receive()).rpc_call
        await plugin.send(frames.response(asked.request_id, b"fine"))
        assert await call == b"fine"


@pytest.mark.parametrize("spelling", ["error", "status"])
async def test_a_long_message_is_cut_so_that_it_can_be_passed_on(
    hub: Hub, endpoint: str, spelling: str
) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub, features=ALL)
        call = say(hub)
        asked = (await plugin.receive()).rpc_call
        status = status_pb2.Status(code=9, message="x" * 1_000_000)
        await plugin.send(
            frames.failure(asked.request_id, status)
            if spelling == "status"
            else frames.error(asked.request_id, "FailedPrecondition", status.message)
        )
        failure = await failure_of(call)
        assert failure.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert failure.details() == "x" * (MOST_MESSAGE - 1) + "…"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("NotFound", grpc.StatusCode.NOT_FOUND),
        ("DeadlineExceeded", grpc.StatusCode.DEADLINE_EXCEEDED),
        ("Canceled", grpc.StatusCode.CANCELLED),
        ("PERMISSION_DENIED", grpc.StatusCode.PERMISSION_DENIED),
        ("RPC_ERROR", grpc.StatusCode.UNKNOWN),
        ("MARSHAL_ERROR", grpc.StatusCode.INTERNAL),
        ("what?", grpc.StatusCode.UNKNOWN),
        ("OK", grpc.StatusCode.UNKNOWN),
    ],
)
async def test_codes_in_words_are_understood(
    hub: Hub, endpoint: str, sent: str, expected: grpc.StatusCode
) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub, features=ALL)
        call = say(hub)
        asked = (await plugin.receive()).rpc_call
        await plugin.send(frames.error(asked.request_id, sent, "so it ended"))
        failure = await failure_of(call)
        assert (failure.code(), failure.details()) == (expected, "so it ended")


async def test_a_lost_stream_fails_its_calls_at_once(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub, features=ALL)
        calls = [say(hub) for _ in range(20)]
        for _ in calls:
            await plugin.receive()
        plugin.call.cancel()
        for call in calls:
            assert (await failure_of(call)).code() is grpc.StatusCode.UNAVAILABLE
    await until(lambda: len(hub.registry) == 0)


async def test_malformed_frames_end_only_their_stream(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub, features=ALL)
        call = say(hub)
        await plugin.receive()
        await plugin.send(b"\xff\xff\xff")
        assert (await plugin.status())[0] is grpc.StatusCode.INVALID_ARGUMENT
        assert (await failure_of(call)).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_peer_that_floods_a_stream_loses_that_call_only(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub, features=ALL)
        stream: Any = EchoStub(hub.plugin("raw")).Count(b"1")
        asked = (await plugin.receive()).rpc_call
        for _ in range(1000):
            await plugin.send(frames.response(asked.request_id, b"x" * 10, more=True))
        assert (await plugin.receive()).cancel.request_id == asked.request_id
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            [response async for response in stream]
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        call = say(hub)
        asked = (await plugin.receive()).rpc_call
        await plugin.send(frames.response(asked.request_id, b"fine"))
        assert await call == b"fine"


async def test_without_the_feature_streams_are_unimplemented(hub: Hub, endpoint: str) -> None:
    async with RawPlugin(endpoint) as plugin:
        await ready(plugin, hub, features=ALL - {Feature.SERVER_STREAMING})
        stream: Any = EchoStub(hub.plugin("raw")).Count(b"1")
        assert await stream.code() is grpc.StatusCode.UNIMPLEMENTED
