"""A service over bytes, for everything that carries calls: as generated code would add it."""

import asyncio
from collections.abc import AsyncIterator
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
