"""What the first frame must be, and what becomes of a stream that does not send it."""

import asyncio

import grpc
import pytest

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.errors import Code, Overloaded
from store_plugin.hub.events import EventKind
from store_plugin.hub.registry import Limits, OnDuplicate
from store_plugin.hub.settings import Alias, HubSettings
from store_plugin.stream import frames
from store_plugin.stream.features import ALL, Feature
from store_plugin.wire import error_from
from tests.hub.conftest import StartHub, StartPlugin
from tests.hub.raw import RawPlugin
from tests.support.echo import EchoStub
from tests.support.waiting import until

INVALID_FIRST_FRAMES = {
    "a call": frames.call("1", "Say", b""),
    "nothing": frames.Frame(),
    "an empty name": frames.register("", "1"),
    "upper case": frames.register("Echo", "1"),
    "a dot": frames.register("echo.plugin", "1"),
    "64 characters": frames.register("a" * 64, "1"),
    "a hyphen at the end": frames.register("echo-", "1"),
    "a version with a line break": frames.register("echo", "1\n2"),
    "a kind without a group": frames.register(
        "echo", "1", kinds=[proto.PluginKind(api_version="v1", kind="X")]
    ),
    "a kind without a name": frames.register("echo", "1", kinds=[proto.PluginKind(api_version="a.b/v1")]),
    "a kind that is a path": frames.register(
        "echo", "1", kinds=[proto.PluginKind(api_version="a.b/v1", kind="X/..")]
    ),
    "a plural that is a path": frames.register(
        "echo", "1", kinds=[proto.PluginKind(api_version="a.b/v1", kind="X", plural="x/y")]
    ),
    "a kind named twice": frames.register(
        "echo", "1", kinds=[proto.PluginKind(api_version="a.b/v1", kind="X")] * 2
    ),
    "schemas that are too large together": frames.register(
        "echo",
        "1",
        kinds=[
            proto.PluginKind(api_version="a.b/v1", kind=f"X{n}", spec_schema=b" " * 200_000) for n in range(3)
        ],
    ),
    "no frame at all": b"\xff\xff\xff",
}


@pytest.mark.parametrize("first", INVALID_FIRST_FRAMES.values(), ids=INVALID_FIRST_FRAMES.keys())
async def test_what_is_no_registration_is_refused(
    start_hub: StartHub, endpoint: str, first: frames.Frame | bytes
) -> None:
    hub = await start_hub()
    with hub.registry.events.listen() as events:
        async with RawPlugin(endpoint) as plugin:
            await plugin.send(first)
            code, _ = await plugin.status()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert (await anext(events)).kind is EventKind.REFUSED
    assert len(hub.registry) == 0


async def test_a_stream_that_says_nothing_is_ended(start_hub: StartHub, endpoint: str) -> None:
    await start_hub(HubSettings(register_within=0.1))
    async with RawPlugin(endpoint) as plugin:
        assert (await plugin.status())[0] is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_headers_come_before_the_first_frame(start_hub: StartHub, endpoint: str) -> None:
    await start_hub(HubSettings(register_within=60.0))
    async with RawPlugin(endpoint) as plugin:
        await asyncio.wait_for(plugin.call.initial_metadata(), 20.0)


async def test_who_announces_features_is_told_ours(start_hub: StartHub, endpoint: str) -> None:
    await start_hub(HubSettings(heartbeat_interval=7.0, max_message_bytes=5_000_000))
    async with RawPlugin(endpoint) as plugin:
        await plugin.register(features=ALL, instance_id="one")
        told = (await plugin.receive()).registered
    assert set(told.features) == {feature.value for feature in Feature}
    assert told.instance_id == "one"
    assert frames.seconds(told.heartbeat_interval) == 7.0
    assert told.max_message_bytes == 5_000_000


async def test_features_that_nobody_knows_do_no_harm(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub()
    frame = frames.register("new", "9", features=ALL)
    frame.register.features.append("telepathy")
    async with RawPlugin(endpoint) as plugin:
        await plugin.send(frame)
        await plugin.receive()
        assert hub.registry.entries()[0].peer.features == ALL


@pytest.mark.parametrize("spoken", [(), (1,), (1, 2), (7, 1)])
async def test_one_version_in_common_is_enough(
    start_hub: StartHub, endpoint: str, spoken: tuple[int, ...]
) -> None:
    await start_hub()
    frame = frames.register("echo", "1", features=ALL)
    frame.register.protocol_versions[:] = spoken
    async with RawPlugin(endpoint) as plugin:
        await plugin.send(frame)
        assert (await plugin.receive()).HasField("registered")


async def test_without_a_version_in_common_it_is_told_both(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub()
    frame = frames.register("echo", "1", features=ALL)
    frame.register.protocol_versions[:] = (3, 2)
    async with RawPlugin(endpoint) as plugin:
        await plugin.send(frame)
        code, details = await plugin.status()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "version 2, 3" in details and "this hub version 1" in details
    assert len(hub.registry) == 0


async def test_limits_hold_when_all_come_at_once(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub(HubSettings(limits=Limits(plugins=60), register_within=60.0))
    plugins = [RawPlugin(endpoint) for _ in range(100)]
    statuses = [asyncio.create_task(plugin.status(60)) for plugin in plugins]
    try:
        await asyncio.gather(*(p.register(f"p-{n}", features=ALL) for n, p in enumerate(plugins)))
        await until(lambda: sum(status.done() for status in statuses) == 40, within=30)
        assert len(hub.registry) == 60
        codes = {status.result()[0] for status in statuses if status.done()}
        assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        refused = next(p for p, status in zip(plugins, statuses, strict=True) if status.done())
        told = error_from(Code.RESOURCE_EXHAUSTED, "", tuple(await refused.call.trailing_metadata()))
        assert isinstance(told, Overloaded)
        assert told.retry_after
    finally:
        for status in statuses:
            status.cancel()
        await asyncio.gather(*(p.__aexit__(None, None, None) for p in plugins))


async def test_a_second_one_of_a_name_is_refused_where_asked_for(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub(HubSettings(on_duplicate=OnDuplicate.REJECT))
    async with RawPlugin(endpoint) as first, RawPlugin(endpoint) as second:
        await first.register()
        await until(lambda: len(hub.registry) == 1)
        generation = hub.registry.entries()[0].generation
        await second.register()
        assert (await second.status())[0] is grpc.StatusCode.ALREADY_EXISTS
        assert hub.registry.entries()[0].generation == generation


async def test_a_second_one_of_a_name_takes_over(start_hub: StartHub, endpoint: str) -> None:
    hub = await start_hub()
    async with RawPlugin(endpoint) as second:
        async with RawPlugin(endpoint) as first:
            await first.register()
            await until(lambda: len(hub.registry) == 1)
            old = hub.registry.entries()[0]
            await second.register()
            assert (await first.status())[0] is grpc.StatusCode.OK
        await until(lambda: hub.registry.entries() and hub.registry.entries()[0] is not old)
        # The end of the old stream has come and gone: the new entry is still there.
        call = asyncio.ensure_future(EchoStub(hub.plugin("raw")).Say(b"x"))
        asked = (await second.receive()).rpc_call
        await second.send(frames.response(asked.request_id, b"from the new one"))
        assert await call == b"from the new one"


async def test_instances_that_tell_themselves_apart_share_the_calls(
    start_hub: StartHub, start_plugin: StartPlugin
) -> None:
    hub = await start_hub()
    await start_plugin(instance_id="a")
    await start_plugin(instance_id="b")
    await until(lambda: len(hub.registry) == 2)
    stub = EchoStub(hub.plugin("echo"))
    waiting = [stub.Wait(b"30") for _ in range(6)]
    await until(lambda: [e.instance.in_flight for e in hub.registry.entries()] == [3, 3])
    for call in waiting:
        call.cancel()


@pytest.mark.parametrize("envelope", [False, True], ids=["plain", "enveloped"])
async def test_aliases_serve_the_same(start_hub: StartHub, endpoint: str, envelope: bool) -> None:
    service = "barpilot.token_renewer.v1.TokenProviderService"
    hub = await start_hub(HubSettings(aliases=(Alias(service, envelope),)))

    def wrapped(frame: frames.Frame) -> bytes:
        data: bytes = frame.SerializeToString()
        return proto.PluginEnvelope(data=data).SerializeToString() if envelope else data

    async with RawPlugin(endpoint, f"/{service}/PluginStream") as plugin:
        await plugin.send(wrapped(frames.register("linode", "1")))
        await hub.plugin("linode").channel_ready()
        call = asyncio.ensure_future(EchoStub(hub.plugin("linode")).Say(b"x"))
        data = await plugin.receive_bytes()
        frame = frames.Frame.FromString(proto.PluginEnvelope.FromString(data).data if envelope else data)
        assert frame.rpc_call.method == "Say"
        await plugin.send(wrapped(frames.response(frame.rpc_call.request_id, b"y")))
        assert await call == b"y"
