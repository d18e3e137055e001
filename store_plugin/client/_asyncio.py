"""Sends calls on grpc.aio: from any number of tasks over one channel.

A channel of grpc.aio belongs to the event loop it was made on, so a client that is used
on several loops (one after the other, or in several threads) has a channel for each.
"""

import asyncio
import threading
from typing import TypeVar

import grpc
import grpc.aio

from store_plugin.client._attempt import Attempt, closed_during_call
from store_plugin.client._connection import Connection, OpenChannel, open_channel
from store_plugin.client._messages import Call

ResultT = TypeVar("ResultT")


class AsyncioTransport:
    """One channel per event loop, made with the first call and kept until `close`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._opened: dict[asyncio.AbstractEventLoop, OpenChannel[grpc.aio.Channel]] = {}
        self._closed = False

    async def send(self, call: Call[ResultT], timeout: float | None) -> ResultT:
        """The call's result. When it is sent again, `_attempt` says."""
        attempt = Attempt(self._connection, timeout, repeatable=call.repeatable)
        metadata = self._connection.metadata()
        opened = self._current()
        while True:
            method = opened.channel.unary_unary(call.path, None, call.respond)
            try:
                result: ResultT = await method(call.request, timeout=attempt.remaining, metadata=metadata)
                return result
            except grpc.RpcError as error:
                wait = attempt.wait_after(error)
            except grpc.aio.UsageError:
                # What gRPC raises for a call on a channel that has just been closed.
                self._raise_if_closed()
                raise
            except asyncio.CancelledError:
                self._raise_if_closed()
                raise
            await _await_connection(opened.channel, wait)
            opened = self._renewed(opened)

    async def close(self) -> None:
        """Close the channels; calls under way end with Cancelled. Those of other loops
        are let go: they close when their last call ends."""
        with self._lock:
            opened = self._opened.pop(asyncio.get_running_loop(), None)
            self._opened.clear()
            self._closed = True
        if opened:
            await opened.channel.close(None)

    def _raise_if_closed(self) -> None:
        """grpc.aio cancels the task's await when the channel closes; the task itself was
        not cancelled and must not look as if it had been."""
        task = asyncio.current_task()
        if self._closed and (task is None or not task.cancelling()):
            raise closed_during_call() from None

    def _current(self) -> OpenChannel[grpc.aio.Channel]:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed")
            if loop not in self._opened:
                self._forget_ended_loops()
                self._opened[loop] = self._open()
            return self._opened[loop]

    def _forget_ended_loops(self) -> None:
        for loop in [loop for loop in self._opened if loop.is_closed()]:
            del self._opened[loop]

    def _renewed(self, failing: OpenChannel[grpc.aio.Channel]) -> OpenChannel[grpc.aio.Channel]:
        """The channel to try next: a new one where the TLS files have changed. The old one
        is let go, not closed, so that calls on a connection it still has can end."""
        loop = asyncio.get_running_loop()
        changed = self._connection.tls_material() != failing.material
        with self._lock:
            if self._closed:
                raise closed_during_call()
            if changed and self._opened[loop] is failing:
                self._opened[loop] = self._open()
            return self._opened[loop]

    def _open(self) -> OpenChannel[grpc.aio.Channel]:
        return open_channel(self._connection, grpc.aio.insecure_channel, grpc.aio.secure_channel)


async def _await_connection(channel: grpc.aio.Channel, seconds: float) -> None:
    """Until the channel is connected, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await channel.channel_ready()
    except (TimeoutError, grpc.aio.UsageError):
        pass  # a channel closed meanwhile is found closed by the next step
