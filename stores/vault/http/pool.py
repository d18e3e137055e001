"""The connections to one server: at most so many, used again, closed when idle for long.

A slot is the right to have a connection. Whoever waits for one gets it in the order of
asking: a connection that still works, or the slot alone, to open a new one. There is no
task in here: one timer closes what is idle.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from stores.vault.http.connection import Connection
from stores.vault.http.response import HttpFailure

Dial = Callable[[Connection], Awaitable[None]]
"""Connects what it is given. HttpFailure, OSError."""


class Pool:
    """Connections that `dial` opens."""

    def __init__(self, dial: Dial, most: int, idle_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._dial = dial
        self._most = most
        self._idle_seconds = idle_seconds
        self._slots = 0
        """In use: connections in use, idle or being opened."""
        self._all: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        """The one used last is at the right end, and the next to be used."""
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self, *, surely_alive: bool) -> Connection | None:
        """An idle connection, if there is one. `surely_alive`: the kernel is asked whether
        the server has closed it, which the event loop may not know yet."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and (not surely_alive or connection.quiet()):
                return connection
            self._forget(connection)
        return None

    async def acquire(self, deadline: float, *, fresh: bool = False) -> Connection:
        """A connection by `deadline`, in the loop's time; `fresh`: one that carried no
        request yet. TimeoutError, HttpFailure, OSError. Give it back with `release`."""
        async with asyncio.timeout_at(deadline):
            held = await self._slot()
            if held is not None:
                if not held.closed and not fresh:
                    return held
                held.abort()
            return await self._open()

    def release(self, connection: Connection) -> None:
        """Give back what `take` or `acquire` gave."""
        if connection.reusable and not self._closed:
            self._pass_on(connection)
        else:
            connection.abort()
            self._pass_on(None)

    def retire(self) -> None:
        """No request from now on goes over a connection that exists."""
        for connection in tuple(self._all):
            connection.retire()
        while self._idle:
            self._forget(self._idle.pop())

    async def aclose(self) -> None:
        """Close all connections; requests under way fail."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(_closed())
        self._idle.clear()
        for connection in tuple(self._all):
            connection.abort()
        # Sockets are closed in the loop's next turn.
        await asyncio.sleep(0)

    async def _slot(self) -> Connection | None:
        """A slot, with a connection where one is idle or was given back."""
        if self._closed:
            raise _closed()
        if self._idle:
            return self._idle.pop()
        if self._slots < self._most:
            self._slots += 1
            return None
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._pass_on(waiter.result())
            raise

    async def _open(self) -> Connection:
        """A new connection in a slot that is ours; without one the slot is given back."""
        connection = Connection(self._loop, self._lost)
        self._all.add(connection)
        try:
            await self._dial(connection)
            if self._closed:
                raise _closed()
        except BaseException:
            connection.abort()
            self._all.discard(connection)
            self._pass_on(None)
            raise
        return connection

    def _pass_on(self, held: Connection | None) -> None:
        """A slot that nobody uses goes to whoever waits longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(held)
                return
        if held is None:
            self._slots -= 1
        else:
            held.idle_since = self._loop.time()
            self._idle.append(held)
            if self._timer is None:
                self._timer = self._loop.call_later(self._idle_seconds, self._sweep)

    def _sweep(self) -> None:
        """Close what is idle for too long, and come again when the next one will be."""
        self._timer = None
        now = self._loop.time()
        while self._idle and self._idle[0].idle_since + self._idle_seconds <= now:
            self._forget(self._idle.popleft())
        if self._idle:
            self._timer = self._loop.call_at(self._idle[0].idle_since + self._idle_seconds, self._sweep)

    def _lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
            self._slots -= 1

    def _forget(self, connection: Connection) -> None:
        """Close an idle connection, which has left the idle ones."""
        self._slots -= 1
        connection.abort()


def _closed() -> HttpFailure:
    return HttpFailure("the store is closed")
