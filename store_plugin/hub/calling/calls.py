"""Calls to a plugin as gRPC's own call objects, so that generated stubs return what their
callers know: awaitables and async iterators with code, details and trailing metadata."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import aclosing
from typing import Any

import grpc
from grpc.aio import Metadata as AioMetadata

from store_plugin.errors import Code
from store_plugin.hub.calling.pending import Reply
from store_plugin.stream.frames import EOF, Metadata
from store_plugin.stream.outcomes import CallFailed, failed, grpc_code

_MOST_AHEAD = 16
"""Responses of a stream that wait for their reader."""


class _Call:
    """What both kinds have in common: a task that does the call. `work` is called there: a task that is
    cancelled before it starts never gets to it."""

    _channel = None
    """Closing any grpc.aio channel walks over all calls of the process, asks each for the channel
    it belongs to, and fails where one does not tell."""

    def __init__(self, work: Callable[[], Awaitable[None]], timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._trailing: Metadata = ()
        self._failure: CallFailed | None = None
        self._callbacks: list[Callable[[Any], None]] = []
        self._task = asyncio.create_task(self._run(work), name="plugin call")
        self._task.add_done_callback(self._tell)

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except CallFailed as failure:
            self._failure, self._trailing = failure, failure.trailing_metadata

    def cancelled(self) -> bool:
        return self._task.cancelled()

    def done(self) -> bool:
        return self._task.done()

    def cancel(self) -> bool:
        return self._task.cancel()

    def time_remaining(self) -> float | None:
        return max(0.0, self._deadline - time.monotonic())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self.done():
            callback(self)
        else:
            self._callbacks.append(callback)

    async def initial_metadata(self) -> AioMetadata:
        """None travels over a PluginStream."""
        return AioMetadata()

    async def trailing_metadata(self) -> AioMetadata:
        await self._ended()
        return AioMetadata(*self._trailing)

    async def code(self) -> grpc.StatusCode:
        await self._ended()
        if self._task.cancelled():
            return grpc.StatusCode.CANCELLED
        return grpc_code(self._failure.code if self._failure else Code.OK)

    async def details(self) -> str:
        await self._ended()
        if self._task.cancelled():
            return "the call was cancelled by its caller"
        return self._failure.message if self._failure else ""

    async def wait_for_connection(self) -> None:
        """The stream is there, or the call has failed already."""

    async def _ended(self) -> None:
        """Raises what is no failure of the call but a mistake of its caller, such as metadata of numbers."""
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.result()

    def _raise_failure(self) -> None:
        self._task.result()
        if self._failure is not None:
            raise rpc_error(self._failure)

    def _tell(self, _task: "asyncio.Task[None]") -> None:
        for callback in self._callbacks:
            callback(self)


class UnaryCall(_Call, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A call with one response."""

    def __init__(
        self, reply: Callable[[], Awaitable[Reply]], timeout: float, deserialize: Callable[[bytes], Any]
    ) -> None:
        self._response: Any = None
        self._deserialize = deserialize
        super().__init__(lambda: self._take(reply), timeout)

    async def _take(self, reply: Callable[[], Awaitable[Reply]]) -> None:
        found = await reply()
        self._trailing = found.trailing
        self._response = _deserialized(self._deserialize, found)

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            yield from self._task
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        self._raise_failure()
        return self._response


class StreamCall(_Call, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with a stream of responses, taken from the plugin a few ahead of the caller."""

    def __init__(
        self, replies: AsyncGenerator[Reply, None], timeout: float, deserialize: Callable[[bytes], Any]
    ) -> None:
        self._deserialize = deserialize
        self._responses: deque[Any] = deque()
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        super().__init__(lambda: self._take(replies), timeout)
        self._task.add_done_callback(lambda _: self._more.set())

    async def read(self) -> Any:
        """The next response; `grpc.aio.EOF` after the last."""
        while not self._responses and not self._task.done():
            self._more.clear()
            await self._more.wait()
        if self._responses:
            self._room.set()
            return self._responses.popleft()
        if self._task.cancelled():
            raise asyncio.CancelledError
        self._raise_failure()
        return EOF

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while (response := await self.read()) is not EOF:
                yield response
        finally:
            self.cancel()

    async def _take(self, replies: AsyncGenerator[Reply, None]) -> None:
        async with aclosing(replies):
            async for reply in replies:
                if reply.last:
                    self._trailing = reply.trailing
                else:
                    await self._wait_for_room()
                    self._responses.append(_deserialized(self._deserialize, reply))
                    self._more.set()

    async def _wait_for_room(self) -> None:
        try:
            async with asyncio.timeout(self.time_remaining()):
                while len(self._responses) >= _MOST_AHEAD:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            raise failed(Code.DEADLINE_EXCEEDED, "the caller did not take the responses in time") from None


def rpc_error(failure: CallFailed) -> grpc.aio.AioRpcError:
    """The failure as gRPC's clients raise it."""
    trailing = AioMetadata(*failure.trailing_metadata)
    return grpc.aio.AioRpcError(grpc_code(failure.code), AioMetadata(), trailing, failure.message, "")


def _deserialized(deserialize: Callable[[bytes], Any], reply: Reply) -> Any:
    try:
        return deserialize(reply.payload)
    except Exception:
        raise failed(Code.INTERNAL, "the plugin's response is malformed") from None
