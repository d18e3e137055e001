"""One kept-alive HTTP/1.1 connection: a request's bytes out, one answer in."""

import asyncio
import select
from collections.abc import Callable
from typing import cast

from stores.vault.http.answer import Answer
from stores.vault.http.response import HttpFailure, ResponseReader


class Unanswered(HttpFailure):
    """A kept connection that ended before the first byte of the answer. The server may
    have closed it before the request came, or while doing what it asked."""


class Connection(asyncio.Protocol):
    """For one request at a time. `lost` is called once, when it is over."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lost: Callable[["Connection"], None]) -> None:
        self.closed = False
        self.reusable = False
        """Whether another request may follow: the last one was answered in full."""
        self.idle_since = 0.0
        self._loop = loop
        self._lost = lost
        self._reader = ResponseReader()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._retired = False
        self._used = False

    async def exchange(self, request: bytes, where: str, deadline: float, *, head_only: bool) -> Answer:
        """Send, and wait for the answer until `deadline`, in the loop's time. HttpFailure,
        TimeoutError, OSError; whatever ends it early ends the connection."""
        if self._transport is None or self.closed:
            raise HttpFailure("the server closed the connection")
        self.reusable = False
        self._reader.start(where, head_only=head_only)
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        timer = self._loop.call_at(deadline, self._expire)
        self._transport.write(request)
        try:
            return await waiter
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()
            self._used = True

    def quiet(self) -> bool:
        """Whether the kernel knows of nothing to read: no end, and nothing unasked."""
        poll = select.poll()
        if self._transport is not None:
            poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def retire(self) -> None:
        """No request after the one under way."""
        self._retired, self.reusable = True, False

    def abort(self) -> None:
        """Close at once; a request under way fails."""
        self.closed, self.reusable = True, False
        if self._transport is not None:
            self._transport.abort()
        self._settle(HttpFailure("the connection was closed"))

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No subclass of asyncio's under uvloop, so no `isinstance`.
        self._transport = cast(asyncio.Transport, transport)
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            # Nobody asked: whatever this is, it must not become the next request's answer.
            self.abort()
            return
        try:
            answer = self._reader.feed(data)
        except HttpFailure as failure:
            self._settle(failure)
            self.abort()
            return
        if answer is not None:
            self._settle(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed, self.reusable = True, False
        if self._waiter is not None:
            self._settle(self._outcome_of_end(error))
        self._lost(self)

    def _outcome_of_end(self, error: Exception | None) -> Answer | Exception:
        if self._used and not self._reader.received:
            return Unanswered("the server closed a kept connection; what was asked may have been done")
        if error is not None:
            return error
        try:
            return self._reader.end()
        except HttpFailure as failure:
            return failure

    def _expire(self) -> None:
        self._settle(TimeoutError())
        self.abort()

    def _settle(self, outcome: Answer | Exception) -> None:
        """Tell the request under way, if there is one that still waits."""
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if isinstance(outcome, Exception):
            waiter.set_exception(outcome)
        else:
            self.reusable = self._may_go_on()
            waiter.set_result(outcome)

    def _may_go_on(self) -> bool:
        if self.closed or self._retired or not self._reader.keep or self._transport is None:
            return False
        # An answer that came before the whole request went out leaves the rest behind.
        return not self._transport.get_write_buffer_size()
