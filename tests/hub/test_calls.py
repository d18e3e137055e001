"""Calls to a connected plugin are gRPC calls: requests, failures, deadlines, metadata, streams."""

import asyncio
import gc
import math
import sys
import warnings
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from store_plugin.errors import PluginDisconnected
from store_plugin.hub.hub import Hub
from store_plugin.stream.handlers import HandlerTable
from store_plugin.wire import error_from
from tests.hub.conftest import StartHub, StartPlugin
from tests.support.echo import Echo, EchoStub, add_echo
from tests.support.waiting import until


@pytest.fixture
def servicer() -> Echo:
    return Echo()


@pytest.fixture
async def hub(start_hub: StartHub, start_plugin: StartPlugin, servicer: Echo) -> Hub:
    hub = await start_hub()
    await start_plugin(servicer=servicer)
    await hub.plugin("echo").channel_ready()
    return hub


@pytest.fixture
def stub(hub: Hub) -> Any:
    return EchoStub(hub.plugin("echo"))


async def test_a_call_is_answered_with_trailing_metadata(stub: Any) -> None:
    call = stub.Say(b"hello")
    assert await call == b"hello"
    assert await call.code() is grpc.StatusCode.OK
    assert ("said", "yes") in list(await call.trailing_metadata())


async def test_an_empty_answer_is_an_answer(stub: Any) -> None:
    assert await stub.Say(b"") == b""


async def test_plain_functions_run_in_threads(stub: Any) -> None:
    assert await stub.SayInThread(b"hello") == b"hello"


async def test_metadata_and_deadline_reach_the_method(stub: Any, servicer: Echo) -> None:
    await stub.Say(b"x", timeout=7.0, metadata=(("tenant", "a"), ("blob-bin", b"\xff\x00")))
    metadata, remaining = servicer.seen[-1]
    assert metadata == {"tenant": "a", "blob-bin": b"\xff\x00"}
    assert 0 < remaining <= 7.0


async def test_an_abort_arrives_with_code_details_and_trailers(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Refuse(b"")
    assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert failure.value.details() == "not today"
    assert ("why", "sunday") in list(failure.value.trailing_metadata())


async def test_an_exception_is_internal_without_its_text_and_the_stream_lives(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Break(b"")
    assert failure.value.code() is grpc.StatusCode.INTERNAL
    assert "broken inside" not in str(failure.value.details())
    assert await stub.Say(b"still here") == b"still here"


class Gives(Echo):
    """Its methods end in ways that are no answer and no error."""

    async def Break(self, request: bytes, context: Any) -> bytes:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner
        return request

    def SayInThread(self, request: bytes, context: Any) -> bytes:
        return next(iter(()))


@pytest.mark.parametrize("method", ["Break", "SayInThread"])
@pytest.mark.parametrize("where", ["plugin", "hub"])
async def test_what_a_method_gives_up_itself_is_a_failure_and_its_caller_hears_of_it(
    start_hub: StartHub, start_plugin: StartPlugin, where: str, method: str
) -> None:
    hub = await start_hub()
    if where == "hub":
        table = HandlerTable()
        add_echo(Gives(), table)
        hub.register("echo", table)
    else:
        await start_plugin(servicer=Gives())
        await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    assert await getattr(stub, method)(b"x", timeout=20).code() is grpc.StatusCode.INTERNAL
    assert await stub.Say(b"x") == b"x"


class Leaves(Echo):
    """Its methods end the process, or would."""

    async def Break(self, request: bytes, context: Any) -> bytes:
        sys.exit(3)

    def SayInThread(self, request: bytes, context: Any) -> bytes:
        raise {b"exit": SystemExit, b"interrupt": KeyboardInterrupt, b"close": GeneratorExit}[request]

    async def Count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"1"
        sys.exit(3)


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("Break", b""),
        ("SayInThread", b"exit"),
        ("SayInThread", b"interrupt"),
        ("SayInThread", b"close"),
        ("Count", b""),
    ],
)
@pytest.mark.parametrize("where", ["plugin", "hub"])
async def test_a_method_that_exits_ends_its_call_and_nothing_else(
    start_hub: StartHub, start_plugin: StartPlugin, where: str, method: str, how: bytes
) -> None:
    hub = await start_hub()
    if where == "hub":
        table = HandlerTable()
        add_echo(Leaves(), table)
        hub.register("echo", table)
    else:
        await start_plugin(servicer=Leaves())
        await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    beside = stub.Wait(b"0.1", timeout=20)
    call = getattr(stub, method)(how, timeout=20)
    assert await call.code() is grpc.StatusCode.INTERNAL
    assert "the plugin's log tells more" in await call.details()
    assert await beside == b"0.1"
    assert hub.registry.entries()[0].generation == 1


class Odd(Echo):
    """What it gives is nothing that a gRPC server could send."""

    async def Say(self, request: bytes, context: Any) -> Any:
        odd = (("count", 5),)
        if request == b"trailing metadata":
            context.set_trailing_metadata(odd)
        if request == b"an abort's":
            await context.abort(grpc.StatusCode.NOT_FOUND, "not here", odd)
        return "no bytes" if request == b"a response" else request


@pytest.mark.parametrize("what", [b"trailing metadata", b"an abort's", b"a response"], ids=bytes.decode)
async def test_what_cannot_be_sent_is_internal_and_its_caller_hears_of_it(
    start_hub: StartHub, start_plugin: StartPlugin, what: bytes
) -> None:
    hub = await start_hub()
    await start_plugin(servicer=Odd())
    await hub.plugin("echo").channel_ready()
    stub = EchoStub(hub.plugin("echo"))
    call = stub.Say(what, timeout=20)
    assert await call.code() is grpc.StatusCode.INTERNAL
    assert "the plugin's log tells more" in await call.details()
    assert await stub.Say(b"still here") == b"still here"


@pytest.mark.parametrize("method", ["Say", "Count"])
async def test_a_call_that_its_caller_got_wrong_is_no_success(stub: Any, method: str) -> None:
    call = getattr(stub, method)(b"1", metadata=(("number", 5),))
    with pytest.raises(TypeError):
        await call.code()
    with pytest.raises(TypeError):
        [response async for response in call] if method == "Count" else await call


async def test_an_unknown_method_is_unimplemented(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Unknown(b"")
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_deadline_ends_the_call_and_the_method(stub: Any, servicer: Echo) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Wait(b"30", timeout=0.1)
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: servicer.cancelled == 1)


async def test_a_cancelled_call_ends_the_method(stub: Any, servicer: Echo) -> None:
    call = stub.Wait(b"30")
    await until(lambda: servicer.waiting == 1)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: servicer.cancelled == 1)


@pytest.mark.parametrize("method", ["Say", "Count"])
async def test_a_call_that_is_cancelled_before_it_starts_leaves_nothing_behind(
    stub: Any, hub: Hub, servicer: Echo, method: str
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        call = getattr(stub, method)(b"1")
        assert call.cancel()
        assert await call.code() is grpc.StatusCode.CANCELLED
        del call
        gc.collect()
    assert [str(one.message) for one in told if issubclass(one.category, RuntimeWarning)] == []
    assert hub.registry.entries()[0].instance.in_flight == 0
    assert servicer.seen == []


@pytest.mark.parametrize("where", ["plugin", "hub"])
async def test_a_call_may_have_no_deadline(hub: Hub, stub: Any, servicer: Echo, where: str) -> None:
    if where == "hub":
        table = HandlerTable()
        add_echo(servicer, table)
        hub.register("echo", table)
    assert await stub.Say(b"x", timeout=math.inf) == b"x"
    assert [response async for response in stub.Count(b"2", timeout=math.inf)] == [b"0", b"1"]
    _, remaining = servicer.seen[-1]
    assert remaining > 3600 * 24 * 365


async def test_a_slow_call_holds_up_no_other(stub: Any, servicer: Echo) -> None:
    slow = stub.Wait(b"30")
    await until(lambda: servicer.waiting == 1)
    assert await asyncio.gather(*(stub.Say(b"%d" % n) for n in range(100))) == [b"%d" % n for n in range(100)]
    slow.cancel()


async def test_a_stream_of_responses_arrives_in_order(stub: Any) -> None:
    call = stub.Count(b"500")
    assert [int(response) async for response in call] == list(range(500))
    assert await call.code() is grpc.StatusCode.OK
    assert ("counted", "yes") in list(await call.trailing_metadata())


async def test_a_stream_can_be_left_early(stub: Any, hub: Hub) -> None:
    async for response in stub.Count(b"100000"):
        if response == b"10":
            break
    await until(lambda: hub.registry.entries()[0].instance.in_flight == 0)
    assert await stub.Say(b"next") == b"next"


async def test_an_empty_stream_ends(stub: Any) -> None:
    assert [response async for response in stub.Count(b"0")] == []


async def test_a_plugin_that_is_away_is_unavailable_with_a_reason(hub: Hub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await EchoStub(hub.plugin("nobody")).Say(b"")
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    typed = error_from(14, failure.value.details() or "", tuple(failure.value.trailing_metadata()))
    assert isinstance(typed, PluginDisconnected)


async def test_a_caller_may_wait_for_a_plugin(start_hub: StartHub, start_plugin: StartPlugin) -> None:
    hub = await start_hub()
    call = EchoStub(hub.plugin("echo")).Say(b"early", wait_for_ready=True, timeout=20)
    await start_plugin()
    assert await call == b"early"


async def test_large_messages_pass(stub: Any) -> None:
    large = b"x" * (4 * 1024 * 1024)
    assert await stub.Say(large) == large
