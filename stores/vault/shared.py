"""One attempt for all who want the same: a login is not a thing to do sixteen times at once."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy

from store_plugin.errors import StorePluginError


class SharedAttempt:
    """One attempt at a time; who waited for it shares how it ended.

    An attempt whose request was cancelled has no outcome: the next in line makes its own.
    Attempts of several kinds exclude each other by sharing the lock.
    """

    def __init__(self, turn: asyncio.Lock) -> None:
        self._turn = turn
        self._ended = 0
        self._failure: StorePluginError | None = None

    async def run(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Raises what the attempt raised, a copy for each who waited."""
        ended = self._ended
        async with self._turn:
            if self._ended == ended:
                self._failure = await _failure_of(attempt)
                self._ended += 1
            if self._failure:
                raise copy(self._failure)


async def _failure_of(attempt: Callable[[], Awaitable[None]]) -> StorePluginError | None:
    try:
        await attempt()
    except StorePluginError as error:
        return error.with_traceback(None)
    return None
