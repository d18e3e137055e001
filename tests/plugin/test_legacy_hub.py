"""The SDK against an operator that speaks operator-plugin-framework only, and at the door of
hubs that refuse."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest
from store_plugin.plugin import Plugin, serving
from store_plugin.stream import frames
from store_plugin.stream.features import ALL, Feature
from tests.support.echo import Echo, add_echo

Talk = Callable[[Any], Awaitable[None]]


@pytest.fixture
def endpoint() -> str:
    return f"unix:///@store-plugin-tests/legacy-{uuid4().hex}"


@asynccontextmanager
async def operator(endpoint: str, talk: Talk, health: Any = None) -> AsyncIterator[None]:
    """A server with PluginStream, and whatever is given for health checks."""

    async def plugin_stream(_requests: Any, context: Any) -> None:
        await talk(context)

    server = grpc.aio.server()
    service, method = frames.METHOD_PATH.strip("/").split("/")
    handler = grpc.stream_stream_rpc_method_handler(
        plugin_stream, frames.Frame.FromString, frames.Frame.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    if health:
        check = {"Check": grpc.unary_unary_rpc_method_handler(health)}
        handlers = grpc.method_handlers_generic_handler("grpc.health.v1.Health", check)
        server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(Endpoint.parse(endpoint).listen_address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


@asynccontextmanager
async def running(endpoint: str, **options: Any) -> AsyncIterator[Plugin]:
    plugin = Plugin("legacy", "0.1")
    add_echo(Echo(), plugin)
    task = asyncio.create_task(plugin.run(endpoint, signals=(), **options))
    try:
        yield plugin
    finally:
        plugin.stop()
        await asyncio.wait_for(task, 30)


async def test_a_go_operator_is_served_with_its_own_frames(endpoint: str) -> None:
    """No ack, bare method names, ids of its own; errors come as PluginError."""
    said: asyncio.Queue[Any] = asyncio.Queue()

    async def talk(context: Any) -> None:
        said.put_nowait((await context.read()).register.name)
        for method in ("Say", "/tests.Echo/Say", "Nothing", "Break"):
            await context.write(frames.call("1700000000000000001", method, b"hello"))
            said.put_nowait(await context.read())
        await context.read()

    async with operator(endpoint, talk), running(endpoint):
        assert await asyncio.wait_for(said.get(), 10) == "legacy"
        for _ in range(2):
            frame = await asyncio.wait_for(said.get(), 10)
            assert (frame.rpc_response.request_id, frame.rpc_response.payload) == (
                "1700000000000000001",
                b"hello",
            )
        unknown = (await asyncio.wait_for(said.get(), 10)).error
        assert (unknown.code, unknown.message) == ("Unimplemented", "unknown method Nothing")
        assert (await asyncio.wait_for(said.get(), 10)).error.code == "Internal"


async def test_a_response_that_the_operator_would_not_take_fails_its_call_only(endpoint: str) -> None:
    """A frame over gRPC's own limit ends the stream, and the operator never says that it has another."""
    said: asyncio.Queue[Any] = asyncio.Queue()

    async def talk(context: Any) -> None:
        await context.read()
        for request in (b"x" * frames.UNTOLD_MESSAGE_BYTES, b"x" * (frames.UNTOLD_MESSAGE_BYTES - 100)):
            await context.write(frames.call("1", "Say", request))
            said.put_nowait(await context.read())
        await context.read()

    async with operator(endpoint, talk), running(endpoint):
        refused = (await asyncio.wait_for(said.get(), 20)).error
        assert (refused.request_id, refused.code) == ("1", "ResourceExhausted")
        assert len((await asyncio.wait_for(said.get(), 20)).rpc_response.payload) > 4_000_000


async def test_a_hub_that_does_not_tell_what_callers_take_gets_all_responses(endpoint: str) -> None:
    """An older one of ours."""
    received: asyncio.Queue[Any] = asyncio.Queue()

    async def talk(context: Any) -> None:
        await context.read()
        await context.write(frames.registered("one", ALL - {Feature.FLOW_CONTROL}, 0.0, 1_000_000))
        await context.write(frames.call("1", "Count", b"1000"))
        more = True
        while more:
            frame = await context.read()
            received.put_nowait(frame)
            more = frame.rpc_response.more
        await context.read()

    async with operator(endpoint, talk), running(endpoint):
        for number in range(1000):
            frame = await asyncio.wait_for(received.get(), 20)
            assert frame.rpc_response.payload == b"%d" % number
        assert not (await asyncio.wait_for(received.get(), 20)).rpc_response.more


async def test_a_stream_that_the_operator_tears_down_is_opened_again(endpoint: str) -> None:
    opened: asyncio.Queue[int] = asyncio.Queue()

    async def talk(context: Any) -> None:
        await context.read()
        opened.put_nowait(1)
        await context.abort(grpc.StatusCode.INTERNAL, "no pending call for request ID")

    async with operator(endpoint, talk), running(endpoint):
        for _ in range(3):
            await asyncio.wait_for(opened.get(), 20)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED], ids=lambda c: c.name
)
async def test_a_refusal_is_known_before_the_stream(
    endpoint: str, code: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    knocked, opened = asyncio.Event(), asyncio.Event()

    async def talk(context: Any) -> None:
        opened.set()

    async def health(_request: bytes, context: Any) -> bytes:
        knocked.set()
        await context.abort(code, "who are you")
        raise AssertionError

    async with operator(endpoint, talk, health), running(endpoint, token="canary-token") as plugin:
        await asyncio.wait_for(knocked.wait(), 10)
        while "who are you" not in caplog.text:
            await asyncio.sleep(0.01)
        assert plugin.connected == 0
    assert not opened.is_set()
    assert "canary-token" not in caplog.text


async def test_the_token_is_read_anew_at_each_connect(endpoint: str, tmp_path: Any) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()
    file = tmp_path / "token"
    file.write_text("first\n")

    async def talk(context: Any) -> None:
        await context.read()
        seen.put_nowait(dict(context.invocation_metadata())["authorization"])

    async with operator(endpoint, talk), running(endpoint, token=file):
        assert await asyncio.wait_for(seen.get(), 10) == "Bearer first"
        file.write_text("second\n")
        while await asyncio.wait_for(seen.get(), 20) != "Bearer second":
            pass


IMPOSSIBLE = {
    "a token without TLS": ("dns:///hub.example.org:8443", {"token": "x"}),
    "a certificate without its key": ("https://hub.example.org:8443", {"certificate": "/c"}),
    "certificates for a socket": ("unix:///@hub", {"ca": "/ca"}),
    "no endpoint": ("hub", {}),
}


@pytest.mark.parametrize(("where", "options"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
async def test_what_cannot_work_is_said_at_once(where: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        await Plugin("x", "1").run(where, signals=(), **options)


@pytest.mark.parametrize("name", ["", "Upper", "dot.ted", "-x", "x" * 64])
def test_names_are_dns_labels(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Plugin(name, "1")


async def test_a_stop_right_after_dialling_waits_for_what_the_hub_says(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acknowledgement and a call are on their way when the plugin is told to stop."""
    monkeypatch.setattr(serving, "ACKNOWLEDGED_WITHIN", 20.0)
    answered: asyncio.Queue[Any] = asyncio.Queue()
    registered, may_go_on = asyncio.Event(), asyncio.Event()

    async def talk(context: Any) -> None:
        await context.read()
        registered.set()
        await may_go_on.wait()
        await context.write(frames.registered("one", ALL, 0.0, 1_000_000))
        await context.write(frames.call("1", "Say", b"late"))
        for _ in range(2):
            answered.put_nowait(await context.read())

    async with operator(endpoint, talk), running(endpoint) as plugin:
        await asyncio.wait_for(registered.wait(), 10)
        plugin.stop()
        await asyncio.sleep(0)
        may_go_on.set()
        got = [await asyncio.wait_for(answered.get(), 10) for _ in range(2)]
    assert {frame.WhichOneof("payload") for frame in got} == {"drain", "rpc_response"}


async def test_a_hub_that_falls_silent_is_left(endpoint: str) -> None:
    """Half open: nothing tells the plugin that the hub's machine is gone, but the pings that miss."""
    streams: list[Any] = []

    async def talk(context: Any) -> None:
        streams.append(await context.read())
        await context.write(frames.registered("id", ALL, 0.05, 1024))
        await context.read()  # until the plugin leaves

    async with operator(endpoint, talk), running(endpoint):
        async with asyncio.timeout(20):
            while len(streams) < 2:
                await asyncio.sleep(0.01)


async def test_a_hub_without_heartbeats_may_be_silent(endpoint: str) -> None:
    streams: list[Any] = []

    async def talk(context: Any) -> None:
        streams.append(await context.read())
        await context.write(frames.registered("id", ALL, 0.0, 1024))
        await context.read()

    async with operator(endpoint, talk), running(endpoint):
        async with asyncio.timeout(20):
            while not streams:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert len(streams) == 1


async def test_a_hub_that_acknowledges_and_has_not_is_dialled_again(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection may have fallen silent between the health check and the registration."""
    monkeypatch.setattr(serving, "LET_IN_WITHIN", 0.2)
    opened: list[Any] = []

    async def talk(context: Any) -> None:
        opened.append(context)
        await asyncio.Event().wait()

    async def marked(_request: bytes, context: Any) -> bytes:
        await context.send_initial_metadata((frames.HUB_MARK,))
        return b""

    async with operator(endpoint, talk, marked), running(endpoint):
        async with asyncio.timeout(20):
            while len(opened) < 2:
                await asyncio.sleep(0.01)
