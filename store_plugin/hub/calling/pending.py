"""Calls under way on one stream, and what happens to replies.

A call is here before its frame is sent, so the fastest reply finds it; a reply that finds
nothing (late, doubled, made up) is counted and dropped, and the stream lives on.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.errors import Code
from store_plugin.stream.frames import Metadata, metadata_of
from store_plugin.stream.outcomes import CallFailed, checked_code, code_from_words, cut, failed

MOST_RESPONSES = 256
MOST_RESPONSE_BYTES = 16 * 1024 * 1024
"""Of one server stream that nobody has taken yet; the last of them may exceed the second."""
TOLD_EACH = 32
TOLD_EACH_BYTES = 1024 * 1024
"""Taken since the peer was told how many, and it is told again: well below what it waits at."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response, and the trailing metadata that came with it."""

    payload: bytes = field(repr=False)
    trailing: Metadata = ()
    last: bool = False
    """The end of a stream of replies, without a payload."""


class PendingCall:
    """One call's replies: the only one, or a stream of them."""

    def __init__(self, request_id: str, *, streaming: bool) -> None:
        self.request_id = request_id
        self.streaming = streaming
        self.sent = False
        """Whether the peer gets to know of it."""
        self.answered = False
        """Whether the peer is done with it."""
        self._when_answered: Callable[[], None] | None = None
        self._replies: asyncio.Queue[Reply | CallFailed] = asyncio.Queue()
        self._bytes = 0
        """Of those responses."""
        self._untold = self._untold_bytes = 0
        self._waiter: asyncio.Future[Reply] | None = None
        if not streaming:
            self._waiter = asyncio.get_running_loop().create_future()

    async def reply(self) -> Reply:
        """The reply of a unary call. CallFailed."""
        assert self._waiter is not None
        return await self._waiter

    async def next(self) -> Reply:
        """The next reply of a stream. CallFailed."""
        found = await self._replies.get()
        if isinstance(found, CallFailed):
            raise found
        self._bytes -= len(found.payload)
        return found

    def taken(self, reply: Reply) -> int:
        """The caller has taken a response: how many the peer is to be told of now."""
        self._untold += 1
        self._untold_bytes += len(reply.payload)
        if self._untold < TOLD_EACH and self._untold_bytes < TOLD_EACH_BYTES:
            return 0
        untold, self._untold, self._untold_bytes = self._untold, 0, 0
        return untold

    def add(self, reply: Reply, *, more: bool) -> bool:
        """Take a reply; False where too many wait already, for another one but the end."""
        if not more:
            self._note_answer()
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(reply)
            return True
        if more and (self._replies.qsize() >= MOST_RESPONSES or self._bytes >= MOST_RESPONSE_BYTES):
            return False
        self._bytes += len(reply.payload)
        self._replies.put_nowait(reply if more else replace(reply, last=True))
        return True

    def fail(self, failure: CallFailed) -> None:
        """End the call with a failure; nothing where it has ended."""
        self._note_answer()
        if self._waiter is None:
            self._replies.put_nowait(failure)
        elif not self._waiter.done():
            self._waiter.set_exception(failure)
            self._waiter.exception()  # seen, also where nobody waits any more

    def when_answered(self, then: Callable[[], None]) -> None:
        """Call back, once, when the peer is done with it."""
        self._when_answered = then

    def _note_answer(self) -> None:
        self.answered = True
        if self._when_answered is not None:
            then, self._when_answered = self._when_answered, None
            then()


class PendingCalls:
    """All calls of one stream."""

    def __init__(self) -> None:
        self.dropped = 0
        """Replies that no call waited for."""
        self._calls: dict[str, PendingCall] = {}
        self._numbers = count(1)
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self, *, streaming: bool = False) -> PendingCall:
        """A new call with an id of its own."""
        call = PendingCall(str(next(self._numbers)), streaming=streaming)
        self._calls[call.request_id] = call
        self._idle.clear()
        return call

    def end(self, call: PendingCall) -> None:
        """Nobody waits for the call any more."""
        self._calls.pop(call.request_id, None)
        if not self._calls:
            self._idle.set()

    def take_response(self, response: proto.PluginRPCResponse) -> bool:
        """A response came in; False where its call is to be called off."""
        call = self._calls.get(response.request_id)
        if call is None or call.answered:
            self.dropped += 1
            return True
        trailing = metadata_of(response.trailing_metadata)
        if response.HasField("status") and response.status.code:
            status = response.status
            status.code = int(checked_code(status.code))
            status.message = cut(status.message)
            call.fail(CallFailed(status, trailing))
        elif not call.add(Reply(response.payload, trailing), more=response.more and call.streaming):
            call.fail(failed(Code.RESOURCE_EXHAUSTED, "the plugin sends faster than its caller reads"))
            return False
        return True

    def take_error(self, error: proto.PluginError) -> None:
        """An error came in. Without an id it belongs to the only call of a legacy peer."""
        call = self._calls.get(error.request_id) if error.request_id else self._only()
        if call is None or call.answered:
            self.dropped += 1
            return
        call.fail(failed(code_from_words(error.code), cut(error.message or error.code)))

    def fail_all(self, failure: CallFailed) -> None:
        """The stream is gone."""
        for call in tuple(self._calls.values()):
            call.fail(failure)

    async def idle(self) -> None:
        """Wait until no call is under way."""
        await self._idle.wait()

    def __len__(self) -> int:
        return len(self._calls)

    def _only(self) -> PendingCall | None:
        return next(iter(self._calls.values())) if len(self._calls) == 1 else None
