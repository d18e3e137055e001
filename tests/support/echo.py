"""A service over bytes, for everything that carries calls: as generated code would add it."""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

import grpc

SERVICE = "tests.Echo"


class Echo:
    """Methods that answer, fail, wait and stream."""

    def __init__(self) -> None:
        self.waiting = 0
        self.cancelled = 0
        self.seen: list[Any] = []

    async def Say(self, request: bytes, context: Any) -> bytes:
        self.seen.append((dict(context.invocation_metadata()), context.time_remaining()))
        context.set_trailing_metadata((("said", "yes"),))
        return request

    def SayInThread(self, request: bytes, context: Any) -> bytes:
        return request

    async def Refuse(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today", (("why", "sunday"),))
        raise AssertionError

    async def Break(self, request: bytes, context: Any) -> bytes:
        raise RuntimeError("broken inside")

    async def Wait(self, request: bytes, context: Any) -> bytes:
        self.waiting += 1
        try:
            await asyncio.sleep(float(request))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1
        return request

    async def Count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield str(number).encode()
        context.set_trailing_metadata((("counted", "yes"),))


class Held(Echo):
    """Its answers wait until they may go."""

    def __init__(self) -> None:
        super().__init__()
        self.running = 0
        self.may_go = asyncio.Event()

    async def Say(self, request: bytes, context: Any) -> bytes:
        self.running += 1
        try:
            await self.may_go.wait()
        finally:
            self.running -= 1
        return request


def add_echo(servicer: Echo, server: Any) -> None:
    """As `add_EchoServicer_to_server` would."""
    unary = ("Say", "SayInThread", "Refuse", "Break", "Wait")
    handlers = {name: grpc.unary_unary_rpc_method_handler(getattr(servicer, name)) for name in unary}
    handlers["Count"] = grpc.unary_stream_rpc_method_handler(servicer.Count)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


class EchoStub:
    """As the generated stub would be."""

    def __init__(self, channel: Any) -> None:
        for name in ("Say", "SayInThread", "Refuse", "Break", "Wait", "Unknown"):
            setattr(self, name, channel.unary_unary(f"/{SERVICE}/{name}", None, None))
        self.Count = channel.unary_stream(f"/{SERVICE}/Count", None, None)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
"""How a call ends whose stream breaks."""


async def answers(stub: EchoStub, meanwhile: Collection[grpc.StatusCode] = LOST) -> None:
    """Soon: that a stream is broken may be noticed only now, and `meanwhile` calls end so."""
    async with asyncio.timeout(40):
        while (code := await stub.Say(b"well", timeout=10).code()) is not grpc.StatusCode.OK:
            assert code in meanwhile
            await asyncio.sleep(0.05)
