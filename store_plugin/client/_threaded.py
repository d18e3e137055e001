"""Sends calls on gRPC's synchronous API, from any number of threads over one channel."""

import threading
from typing import TypeVar

import grpc

from store_plugin.client._attempt import Attempt, closed_during_call
from store_plugin.client._connection import Connection, OpenChannel, open_channel
from store_plugin.client._messages import Call

ResultT = TypeVar("ResultT")

_FIRST_LOOK = 1.0
"""Seconds at most; it takes a thread to start."""


class ThreadedTransport:
    """One channel, made with the first call and kept until `close`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._opened: OpenChannel[grpc.Channel] | None = None
        self._closed = False

    def send(self, call: Call[ResultT], timeout: float | None) -> ResultT:
        """The call's result. When it is sent again, `_attempt` says."""
        attempt = Attempt(self._connection, timeout, repeatable=call.repeatable)
        metadata = self._connection.metadata()
        opened = self._current()
        while True:
            method = opened.channel.unary_unary(call.path, None, call.respond)
            try:
                result: ResultT = method(call.request, timeout=attempt.remaining, metadata=metadata)
                return result
            except grpc.RpcError as error:
                wait = attempt.wait_after(error)
            except ValueError:
                # What gRPC raises for a call on a channel that has just been closed.
                self._raise_if_closed()
                raise
            self._await_connection(opened.channel, wait)
            opened = self._renewed(opened)

    def close(self) -> None:
        """Close the channel; calls under way end with Cancelled."""
        with self._lock:
            opened, self._opened, self._closed = self._opened, None, True
        if opened:
            opened.channel.close()

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise closed_during_call() from None

    def _current(self) -> OpenChannel[grpc.Channel]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed")
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _renewed(self, failing: OpenChannel[grpc.Channel]) -> OpenChannel[grpc.Channel]:
        """The channel to try next: a new one where the TLS files have changed. The old one
        is let go, not closed, so that calls on a connection it still has can end."""
        changed = self._connection.tls_material() != failing.material
        with self._lock:
            if self._opened is None:
                raise closed_during_call()
            if changed and self._opened is failing:
                self._opened = self._open()
            return self._opened

    def _open(self) -> OpenChannel[grpc.Channel]:
        return open_channel(self._connection, grpc.insecure_channel, grpc.secure_channel)

    def _await_connection(self, channel: grpc.Channel, seconds: float) -> None:
        """Until the channel is connected, or for so long. Watching it is also what makes it try
        again: a channel of the synchronous API gets on only while a thread waits for it.

        Not with `grpc.channel_ready_future`, which asks gRPC's watching thread to connect: asked
        twice, that thread looks at the channel once more after the last one has gone, and writes a
        traceback to stderr where it is closed by then. So it does where that happens before its first
        look, which is why `close` waits for that.
        """
        looked, ready = threading.Event(), threading.Event()

        def look(state: grpc.ChannelConnectivity) -> None:
            looked.set()
            if state is grpc.ChannelConnectivity.READY:
                ready.set()

        with self._lock:
            if self._closed:
                raise closed_during_call()
            channel.subscribe(look)
            looked.wait(_FIRST_LOOK)
        try:
            ready.wait(seconds)
        finally:
            channel.unsubscribe(look)
