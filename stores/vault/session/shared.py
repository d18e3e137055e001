"""One attempt for all who want the same: a login is not a thing to do sixteen times at once."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy

from store_plugin.errors import StorePluginError, StoreUnavailable


class SharedAttempt:
    """One attempt at a time, which runs on when those who wait for it give up; who waits
    for it shares how it ends.

    Attempts of several kinds exclude each other by sharing the lock. The owner calls `aclose`.
    """

    def __init__(self, turn: asyncio.Lock) -> None:
        self._turn = turn
        self._task: asyncio.Task[StorePluginError | None] | None = None

    async def run(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Raises what the attempt raised, a copy for each who waited; StoreUnavailable where
        it was ended by `aclose`."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._in_turn(attempt))
        task = self._task
        await asyncio.wait([task])
        if task.cancelled():
            raise StoreUnavailable("the store was closed before it was logged in")
        if failure := task.result():
            raise copy(failure)

    async def ended(self) -> None:
        """Wait until no attempt runs."""
        if self._task:
            await asyncio.wait([self._task])

    async def aclose(self) -> None:
        """End an attempt that still runs."""
        if self._task:
            self._task.cancel()
            await self.ended()

    async def _in_turn(self, attempt: Callable[[], Awaitable[None]]) -> StorePluginError | None:
        async with self._turn:
            try:
                await attempt()
            except StorePluginError as error:
                return error.with_traceback(None)
        return None
