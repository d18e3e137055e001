"""A provider in the hub's own process: found and called as if it had connected."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from store_plugin.errors import Code, InvalidRequest
from store_plugin.hub.calling.pending import Reply
from store_plugin.hub.peer import Identity, Peer
from store_plugin.log import Logger
from store_plugin.stream.context import CallState
from store_plugin.stream.features import ALL
from store_plugin.stream.frames import Metadata, is_plugin_name
from store_plugin.stream.handlers import HandlerTable
from store_plugin.stream.invocation import Invoker
from store_plugin.stream.outcomes import CallFailed, failed

_AHEAD = 16
"""Responses of a stream that wait for their reader."""


class LocalInstance:
    """The methods of `table` under a name. Plain functions run in `threads`, whose owner
    bounds and shuts them down."""

    draining = False
    asked_to_come_again = False

    def __init__(self, name: str, table: HandlerTable, threads: Executor, log: Logger) -> None:
        if not is_plugin_name(name):
            raise InvalidRequest(f"{name!r} is no name for a plugin: write a DNS label")
        self.peer = Peer(
            name,
            version="local",
            instance_id="local",
            announced_instance=True,
            identity=Identity(),
            features=ALL,
            services=table.services,
            private=True,
            local=True,
        )
        self.in_flight = 0
        self._table = table
        self._invoker = Invoker(threads, log)

    def silent_for(self) -> float:
        """Never: it lives as long as this process."""
        return 0.0

    async def call(self, method: str, payload: bytes, *, timeout: float, metadata: Metadata = ()) -> Reply:
        """As Session.call."""
        state = self._state(method, timeout, metadata)
        with self._counted():
            try:
                async with asyncio.timeout(timeout):
                    response = await self._invoker.unary(self._table.find(method), payload, state)
            except TimeoutError:
                raise self._too_late(method) from None
        return Reply(response, state.trailing)

    async def stream(
        self, method: str, payload: bytes, *, timeout: float, metadata: Metadata = ()
    ) -> AsyncGenerator[Reply, None]:
        """As Session.stream."""
        state = self._state(method, timeout, metadata)
        replies: asyncio.Queue[Reply] = asyncio.Queue(_AHEAD)

        async def produce() -> None:
            await self._invoker.streamed(
                self._table.find(method), payload, state, lambda response: replies.put(Reply(response))
            )
            await replies.put(Reply(b"", state.trailing, last=True))

        deadline = asyncio.get_running_loop().time() + timeout
        with self._counted():
            producing = asyncio.create_task(produce(), name="local plugin method")
            try:
                last = False
                while not last:
                    async with asyncio.timeout_at(deadline):
                        reply = await _next(replies, producing)
                    last = reply.last
                    yield reply
            except TimeoutError:
                raise self._too_late(method) from None
            finally:
                producing.cancel()
                await asyncio.wait((producing,))

    def _state(self, method: str, timeout: float, metadata: Metadata) -> CallState:
        return CallState(method, "local", metadata, time.monotonic() + timeout)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def _too_late(self, method: str) -> CallFailed:
        return failed(Code.DEADLINE_EXCEEDED, f"plugin {self.peer.name} did not answer {method} in time")


async def _next(replies: "asyncio.Queue[Reply]", producing: "asyncio.Task[None]") -> Reply:
    """The next reply, or what the method failed with."""
    if not replies.empty():
        return replies.get_nowait()
    getting = asyncio.create_task(replies.get(), name="local plugin reply")
    try:
        await asyncio.wait((getting, producing), return_when=asyncio.FIRST_COMPLETED)
        if not getting.done() and producing.done():
            producing.result()
        return await getting
    finally:
        getting.cancel()
