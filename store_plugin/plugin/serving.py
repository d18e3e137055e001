"""One stream to a hub, from registration to its end: calls come in, replies go out."""

import asyncio
import math
import time
from contextlib import suppress
from typing import Protocol

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.errors import Code
from store_plugin.log import Logger
from store_plugin.plugin.ahead import Ahead
from store_plugin.stream import frames
from store_plugin.stream.audit_notes import metadata_of_notes
from store_plugin.stream.context import CallState
from store_plugin.stream.features import Feature, known
from store_plugin.stream.handlers import HandlerTable
from store_plugin.stream.invocation import Invoker
from store_plugin.stream.outbox import Closed, Outbox
from store_plugin.stream.outcomes import CallFailed, code_from_words, code_in_words, failed

ACKNOWLEDGED_WITHIN = 1.0
"""Seconds after which a hub that has not acknowledged counts as one of the framework."""
LET_IN_WITHIN = 30.0
"""Seconds for a hub that acknowledges to do so; it may ask a cluster before."""
MOST_WAITING = 4
"""Calls that may wait for a turn, as a multiple of those that run at a time."""


MISSED_HEARTBEATS = 4
"""So many intervals without anything from a hub that said how often it pings, and it is gone:
one more than a hub allows, so that it ends the stream first where it can."""


class HubSilent(Exception):
    """The hub has sent nothing for several heartbeats."""


class Wire(Protocol):
    """The plugin's end of a stream, as grpc.aio has it."""

    async def read(self) -> object: ...
    async def write(self, request: frames.Frame) -> None: ...
    async def done_writing(self) -> None: ...


class HubStream:
    """Serves calls of a table's methods over one stream."""

    def __init__(
        self,
        wire: Wire,
        table: HandlerTable,
        invoker: Invoker,
        log: Logger,
        *,
        hub: str,
        concurrency: int,
        acknowledges: bool = False,
    ) -> None:
        self.draining = asyncio.Event()
        """Set when the hub asks for another stream, or when this one ends."""
        self.finishing = False
        """Whether this end is about to go: then it needs no other stream."""
        self.heard_from = False
        """Whether the hub has sent anything."""
        self.grace = math.inf
        """Seconds that the hub lets this one go on beside the next, once it has asked for that."""
        self.outbox = Outbox(wire.write)
        self._ended = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._wire = wire
        self._table = table
        self._invoker = invoker
        self._log = log
        self._hub = hub
        self._concurrency = concurrency
        self._acknowledges = acknowledges
        self._turns = asyncio.Semaphore(concurrency)
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._ahead: dict[str, Ahead] = {}
        """Of the calls that answer with a stream, where the hub tells what their callers take."""
        self._features: frozenset[Feature] = frozenset()
        self._heartbeat = 0.0
        """How often the hub pings, in seconds; 0: never."""
        self._silent_beats = 0
        self._most_bytes = frames.UNTOLD_MESSAGE_BYTES
        """Of a frame, until the hub tells: before its first call, unless it is one of the framework."""

    @property
    def in_flight(self) -> int:
        return len(self._calls)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    async def serve(self, first: frames.Frame) -> None:
        """Register with `first` and serve until the hub ends the stream. HubSilent, and what
        reading or writing raises; whatever ends it, no call is left running."""
        await self.outbox.put(first)
        tasks = {
            asyncio.create_task(self._read(), name="hub stream"),
            asyncio.create_task(self.outbox.run(), name="hub outbox"),
            asyncio.create_task(self._miss_the_hub(), name="hub heartbeats"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.draining.set()
            self._ended.set()
            self.outbox.close()
            tasks |= set(self._calls.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def finish(self, grace: float) -> None:
        """End without losing a call, within `grace` seconds: a hub that knows how ends the stream
        once nothing is under way; for others the end comes when all calls are answered."""
        self.finishing = True
        try:
            async with asyncio.timeout(grace):
                await self._knows_the_hub()
                if Feature.DRAIN in self._features:
                    await self.outbox.put(frames.drain(grace))
                else:
                    while self._calls:
                        await asyncio.wait(self._calls.values())
                    await self.outbox.flushed()
                    await self._wire.done_writing()
                await self._ended.wait()
        except TimeoutError:
            self._log.warning("calls were still running at the end", calls=len(self._calls))
        except Closed:
            pass

    async def _knows_the_hub(self) -> None:
        """A hub that has just been dialled may not have said yet what it understands."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                await self._acknowledged.wait()

    async def _read(self) -> None:
        """Until the end; CallFailed where the hub says why."""
        while (frame := await self._wire.read()) is not frames.EOF:
            assert isinstance(frame, frames.Frame)
            self._silent_beats = 0
            if _ends_the_stream(frame):
                self.heard_from = True
                _raise_why(frame.error)
                break
            if not self.heard_from:
                self.heard_from = True
                self._log.info("connected", hub=self._hub)
            self._take(frame)

    async def _miss_the_hub(self) -> None:
        """HubSilent, counted in beats and not in time: a process that was held up itself finds
        what has arrived meanwhile before it has missed another."""
        try:
            async with asyncio.timeout(LET_IN_WITHIN if self._acknowledges else None):
                await self._acknowledged.wait()
        except TimeoutError:
            raise HubSilent(f"the hub has not answered the registration for {LET_IN_WITHIN:g} s") from None
        if not self._heartbeat:
            await self._ended.wait()
        while self._silent_beats < MISSED_HEARTBEATS:
            await asyncio.sleep(self._heartbeat)
            self._silent_beats += 1
        raise HubSilent(f"the hub has sent nothing for {MISSED_HEARTBEATS} heartbeats")

    def _take(self, frame: frames.Frame) -> None:
        match frame.WhichOneof("payload"):
            case "rpc_call":
                self._begin(frame.rpc_call)
            case "cancel":
                if task := self._calls.get(frame.cancel.request_id):
                    task.cancel()
            case "taken":
                if ahead := self._ahead.get(frame.taken.request_id):
                    ahead.taken(frame.taken.responses)
            case "ping":
                self.outbox.offer(frames.Frame(pong=proto.PluginPong(sequence=frame.ping.sequence)))
            case "drain" if not self.finishing:
                self.grace = frames.seconds(frame.drain.grace)
                self.draining.set()
            case "registered":
                self._features = known(frame.registered.features)
                self._heartbeat = frames.seconds(frame.registered.heartbeat_interval)
                self._most_bytes = frame.registered.max_message_bytes or self._most_bytes
                self._acknowledged.set()

    def _begin(self, call: proto.PluginRPCCall) -> None:
        if len(self._calls) >= self._concurrency * (1 + MOST_WAITING):
            self.outbox.offer(
                self._failure(call.request_id, failed(Code.RESOURCE_EXHAUSTED, "too many calls at a time"))
            )
            return
        if call.request_id in self._calls:
            self._log.warning("the hub used a request id twice", hub=self._hub)
            return
        task = asyncio.create_task(self._serve_call(call), name="plugin method")
        self._calls[call.request_id] = task
        task.add_done_callback(lambda _: self._calls.pop(call.request_id, None))

    async def _serve_call(self, call: proto.PluginRPCCall) -> None:
        deadline = time.monotonic() + frames.seconds(call.timeout) if call.HasField("timeout") else None
        state = CallState(call.method, self._hub, frames.metadata_of(call.metadata), deadline)
        try:
            async with asyncio.timeout(state.remaining()), self._turns:
                await self._answer(call, state)
        except TimeoutError:
            await self._fail(call, state, failed(Code.DEADLINE_EXCEEDED, "the deadline has passed"))
        except CallFailed as failure:
            noted = CallFailed(failure.status, (*failure.trailing, *metadata_of_notes(state.notes)))
            await self._fail(call, state, noted)
        except Exception as error:  # what the method gave is nothing that a frame can hold
            await self._fail(call, state, self._invoker.unexpected(state, error))

    async def _fail(self, call: proto.PluginRPCCall, state: CallState, failure: CallFailed) -> None:
        try:
            frame = self._failure(call.request_id, failure)
        except Exception as error:  # neither is what it failed with
            frame = self._failure(call.request_id, self._invoker.unexpected(state, error))
        try:
            self._check(frame)
        except CallFailed as too_large:
            frame = self._failure(call.request_id, too_large)
        await self._put(frame)

    async def _answer(self, call: proto.PluginRPCCall, state: CallState) -> None:
        handler = self._table.find(call.method)
        if not handler.response_streaming:
            response = await self._invoker.unary(handler, call.payload, state)
            await self._reply(frames.response(call.request_id, response, trailing=self._trailing(state)))
            return
        if Feature.SERVER_STREAMING not in self._features:
            raise failed(Code.UNIMPLEMENTED, f"this hub takes one response to {call.method} only")

        ahead = Ahead()
        told = Feature.FLOW_CONTROL in self._features

        async def send(response: bytes) -> None:
            frame = frames.response(call.request_id, response, more=True)
            self._check(frame)
            if told:
                await ahead.add(frame.ByteSize())
            await self._put(frame)

        self._ahead[call.request_id] = ahead
        try:
            await self._invoker.streamed(handler, call.payload, state, send)
        finally:
            del self._ahead[call.request_id]
        await self._reply(frames.response(call.request_id, b"", trailing=self._trailing(state)))

    async def _reply(self, frame: frames.Frame) -> None:
        """A response. CallFailed."""
        self._check(frame)
        await self._put(frame)

    def _check(self, frame: frames.Frame) -> None:
        """CallFailed for an answer that would end the stream, and all calls with it."""
        if (size := frame.ByteSize()) > self._most_bytes:
            raise failed(
                Code.RESOURCE_EXHAUSTED,
                f"the response takes {size} bytes, and {self._most_bytes} is the limit",
            )

    async def _put(self, frame: frames.Frame) -> None:
        """A reply; where the stream has ended meanwhile there is nobody to get it."""
        with suppress(Closed):
            await self.outbox.put(frame)

    def _trailing(self, state: CallState) -> frames.Metadata:
        if Feature.STATUS not in self._features:
            return ()
        return (*state.trailing, *metadata_of_notes(state.notes))

    def _failure(self, request_id: str, failure: CallFailed) -> frames.Frame:
        if Feature.STATUS in self._features:
            return frames.failure(request_id, failure.status, trailing=failure.trailing)
        return frames.error(request_id, code_in_words(failure.code), failure.message)


def _ends_the_stream(frame: frames.Frame) -> bool:
    """An error of no call is the hub's last word. Some proxies keep the end that gRPC has for it to
    themselves for as long as the plugin's side is open."""
    return frame.WhichOneof("payload") == "error" and not frame.error.request_id


def _raise_why(last: proto.PluginError) -> None:
    if last.code != code_in_words(Code.OK):
        raise failed(code_from_words(last.code), last.message)
