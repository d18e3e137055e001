"""The sidecar's event loop: uvloop's, where a name that nobody resolves keeps no other waiting.

libuv looks names up on two threads for the whole process, and cannot call a look-up off: two
configs whose name servers are silent would keep all others from connecting. Here each name
has a thread of its own while it is looked up, shared by all who ask for it. What connects asks
by `getaddrinfo`, as aiohttp does: uvloop's `create_connection` would go past it.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

import uvloop

MOST = 256
"""Names that may be looked up at a time."""

_Question = tuple[bytes | str | None, bytes | str | int | None, int, int, int, int]
_Answer = list[tuple[Any, ...]]
"""Arguments and result of `socket.getaddrinfo`."""


class Loop(uvloop.Loop):
    """uvloop's loop with a `getaddrinfo` of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._under_way: dict[_Question, asyncio.Future[_Answer]] = {}

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 (asyncio's name for it)
        proto: int = 0,
        flags: int = 0,
    ) -> _Answer:
        """As asyncio's. gaierror (EAI_AGAIN) while too many names are being looked up, or where there is
        no thread to be had."""
        with suppress(socket.gaierror):
            return socket.getaddrinfo(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        question = (host, port, family, type, proto, flags)
        return await asyncio.shield(self._under_way.get(question) or self._begin(question))

    def _begin(self, question: _Question) -> "asyncio.Future[_Answer]":
        if len(self._under_way) >= MOST:
            raise socket.gaierror(socket.EAI_AGAIN, f"{MOST} other names are being looked up")
        # No pool: the end of the process would wait for its threads.
        thread = threading.Thread(target=self._look_up, args=(question,), name="getaddrinfo", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            raise socket.gaierror(socket.EAI_AGAIN, "no thread is left to look a name up") from None
        answer: asyncio.Future[_Answer] = self.create_future()
        self._under_way[question] = answer
        return answer

    def _look_up(self, question: _Question) -> None:
        outcome: _Answer | Exception
        try:
            outcome = socket.getaddrinfo(*question)
        except Exception as error:
            outcome = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self.call_soon_threadsafe(self._end, question, outcome)

    def _end(self, question: _Question, outcome: _Answer | Exception) -> None:
        answer = self._under_way.pop(question)
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
            answer.exception()  # whoever asked may have gone: nobody is to complain then
        else:
            answer.set_result(outcome)
