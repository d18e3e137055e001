"""One stream from a plugin, on the hub's side: calls go out, replies come in.

The session does not read or write: the service that owns the stream feeds it frames and
runs its outbox (`hub/service.py`). It never raises for what a peer sends.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.errors import Code
from store_plugin.hub.calling.pending import PendingCall, PendingCalls, Reply
from store_plugin.hub.peer import Peer
from store_plugin.stream import frames
from store_plugin.stream.audit_notes import notes_in
from store_plugin.stream.features import Feature
from store_plugin.stream.frames import Metadata
from store_plugin.stream.outbox import Closed, Outbox
from store_plugin.stream.outcomes import CallFailed, failed

T = TypeVar("T")

Noted: TypeAlias = Callable[[Peer, str, tuple[str, ...]], None]
"""Told of the keys for the audit record that came back with a call of a method."""

LEGACY_STUCK_SECONDS = 60.0
"""How long a legacy peer may be busy with a call that nobody waits for any more, before its
stream is ended: until it answers it can take no other."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a stream ends: in words, for the calls under way, and for the peer; None: with OK."""

    how: str
    why: CallFailed
    told: CallFailed | None


class Session:
    """A connected plugin instance. Belongs to one event loop."""

    def __init__(
        self,
        peer: Peer,
        outbox: Outbox,
        *,
        most_bytes: int = frames.DEFAULT_MAX_MESSAGE_BYTES,
        noted: Noted = lambda peer, method, keys: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.peer = peer
        self._most_bytes = most_bytes
        self._noted = noted
        self.outbox = outbox
        self.draining = False
        self.asked_to_come_again = False
        self.ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        """Set, once, with why the stream is to end."""
        self._clock = clock
        self._started = self.last_heard = clock()
        self._pending = PendingCalls()
        self._only_one = asyncio.Lock()
        """Held while a legacy peer is busy."""
        self._pings = 0
        self._unanswered = 0

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return len(self._pending)

    @property
    def dropped(self) -> int:
        """Replies that no call waited for."""
        return self._pending.dropped

    async def call(self, method: str, payload: bytes, *, timeout: float, metadata: Metadata = ()) -> Reply:
        """One unary call; `timeout` in seconds. CallFailed: with DEADLINE_EXCEEDED after it,
        with UNAVAILABLE where the stream ends."""
        try:
            async with asyncio.timeout(timeout), self._begun() as call:
                await self._send(call, method, payload, timeout, metadata)
                return await self._answered(method, call.reply())
        except TimeoutError:
            raise self._too_late(method) from None

    async def stream(
        self, method: str, payload: bytes, *, timeout: float, metadata: Metadata = ()
    ) -> AsyncGenerator[Reply, None]:
        """The replies of a method that answers with a stream, then one that says it is the
        last. To be read by one task, and closed. CallFailed; UNIMPLEMENTED where
        the peer does not do this."""
        if Feature.SERVER_STREAMING not in self.peer.features:
            raise failed(Code.UNIMPLEMENTED, f"plugin {self.peer.name} answers calls with one response only")
        deadline = asyncio.get_running_loop().time() + timeout
        told = Feature.FLOW_CONTROL in self.peer.features
        async with self._begun(streaming=True) as call:
            await self._within(deadline, method, self._send(call, method, payload, timeout, metadata))
            last = False
            while not last:
                reply = await self._within(deadline, method, self._answered(method, call.next()))
                last = reply.last
                yield reply
                if told and not call.answered and (responses := call.taken(reply)):
                    await self._within(deadline, method, self._tell_taken(call, responses))

    def take(self, frame: frames.Frame) -> None:
        """A frame came in."""
        self.last_heard = self._clock()
        self._unanswered = 0
        match frame.WhichOneof("payload"):
            case "rpc_response":
                if not self._pending.take_response(frame.rpc_response):
                    self._call_off(frame.rpc_response.request_id)
            case "error":
                self._pending.take_error(frame.error)
            case "ping":
                self.outbox.offer(frames.Frame(pong=proto.PluginPong(sequence=frame.ping.sequence)))
            case "drain":
                self.draining = True

    def ping(self) -> None:
        """Ask for a sign of life, where the peer knows how to give one."""
        if Feature.HEARTBEAT in self.peer.features:
            self._pings += 1
            self._unanswered += 1
            self.outbox.offer(frames.Frame(ping=proto.PluginPing(sequence=self._pings)))

    @property
    def unanswered(self) -> int:
        """Pings since the last frame. They are counted and not timed, so that a hub that was held
        up itself gives up nobody."""
        return self._unanswered

    def silent_for(self) -> float:
        """Seconds since the last frame."""
        return self._clock() - self.last_heard

    def age(self) -> float:
        """Seconds since it was registered."""
        return self._clock() - self._started

    def ask_to_come_again(self, grace: float) -> None:
        """Have the plugin open another stream, which takes over; calls go on over this one."""
        self.asked_to_come_again = True
        if Feature.DRAIN in self.peer.features:
            self.outbox.offer(frames.drain(grace))

    async def drain(self, grace: float) -> None:
        """No new calls; those under way have `grace` seconds, then the stream ends."""
        self.draining = True
        if Feature.DRAIN in self.peer.features:
            self.outbox.offer(frames.drain(grace))
        try:
            async with asyncio.timeout(grace):
                if self.peer.legacy:
                    async with self._only_one:
                        pass  # those who wait for their turn have had it
                await self._pending.idle()
        except TimeoutError:
            self.end(f"its stream was drained, and calls were not done after {grace:g} s")
        self.end("its stream was drained")

    def end(self, how: str, told: CallFailed | None = None) -> None:
        """Fail what is under way, and have the stream ended with `told`. `how` it ended, in words that
        go on from "it is gone:". The first reason counts."""
        if not self.ended.done():
            self.draining = True  # whoever is told now may look for another at once
            why = f"plugin {self.peer.name} is gone: {how}; the call may or may not have been done"
            self.ended.set_result(End(how, failed(Code.UNAVAILABLE, why), told))
            self.outbox.close()
        self._pending.fail_all(self.ended.result().why)

    @asynccontextmanager
    async def _begun(self, *, streaming: bool = False) -> AsyncIterator[PendingCall]:
        """A pending call, whose peer is told when nobody waits any more."""
        if self.peer.legacy:
            await self._only_one.acquire()
        if self.ended.done():
            self._release()
            raise self.ended.result().why
        call = self._pending.begin(streaming=streaming)
        try:
            yield call
        finally:
            if call.answered or not call.sent:
                self._pending.end(call)
                self._release()
            else:
                self._abandon(call)

    def _abandon(self, call: PendingCall) -> None:
        """Of a call that nobody waits for: a legacy peer stays busy with it all the same."""
        if not self.peer.legacy:
            self._pending.end(call)
            self._call_off(call.request_id)
            return
        loop = asyncio.get_running_loop()
        hangs = f"it has not answered a call within {LEGACY_STUCK_SECONDS:g} s of its end, and takes no other"
        stuck = loop.call_later(LEGACY_STUCK_SECONDS, self.end, hangs)

        def over() -> None:
            stuck.cancel()
            self._pending.end(call)
            self._release()

        call.when_answered(over)

    async def _answered(self, method: str, reply: Awaitable[Reply]) -> Reply:
        """A reply, whose keys for the audit record are passed on; those of a failure too."""
        try:
            found = await reply
        except CallFailed as failure:
            self._tell_notes(method, failure.trailing)
            raise
        self._tell_notes(method, found.trailing)
        return found

    def _tell_notes(self, method: str, trailing: Metadata) -> None:
        if trailing and (keys := notes_in(trailing)):
            self._noted(self.peer, method, keys)

    async def _within(self, deadline: float, method: str, work: Awaitable[T]) -> T:
        """One step of a stream; not the whole of it, because its reader may be slow."""
        try:
            async with asyncio.timeout_at(deadline):
                return await work
        except TimeoutError:
            raise self._too_late(method) from None

    async def _tell_taken(self, call: PendingCall, responses: int) -> None:
        with suppress(Closed):  # then the call ends, with the reason
            await self.outbox.put(frames.taken(call.request_id, responses))

    def _call_off(self, request_id: str) -> None:
        if Feature.CANCEL in self.peer.features:
            self.outbox.offer(frames.cancel(request_id))

    async def _send(
        self, call: PendingCall, method: str, payload: bytes, timeout: float, metadata: Metadata
    ) -> None:
        told = Feature.METADATA in self.peer.features
        frame = frames.call(
            call.request_id,
            method if not self.peer.legacy else frames.method_name(method),
            payload,
            timeout=timeout if told else None,
            metadata=metadata if told else (),
        )
        if (size := frame.ByteSize()) > self._most_bytes:  # it would end the stream, and all calls with it
            raise failed(
                Code.RESOURCE_EXHAUSTED,
                f"the request to {method} takes {size} bytes, and {self._most_bytes} is the limit",
            )
        try:
            await self.outbox.put(frame)
            call.sent = True
        except Closed:
            raise self.ended.result().why from None

    def _release(self) -> None:
        if self.peer.legacy:
            self._only_one.release()

    def _too_late(self, method: str) -> CallFailed:
        return failed(Code.DEADLINE_EXCEEDED, f"plugin {self.peer.name} did not answer {method} in time")
