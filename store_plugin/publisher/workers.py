"""The workers: so many Secrets at a time, and a pause before each that the API server could
not answer for."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from store_plugin.bugs import a_bug
from store_plugin.errors import Conflict, StorePluginError
from store_plugin.publisher.queue import Key, WorkQueue
from store_plugin.store import Logger

_LOST_RACE = 0.3
_NO_ANSWER = 5.0
_BUG = 60.0
"""Seconds until a Secret is looked at again, at most; half of it at least."""


class Workers:
    """Own a task of `run()`. `look_after` returns seconds until a Secret's next turn, or None."""

    def __init__(
        self, queue: WorkQueue, look_after: Callable[[Key], Awaitable[float | None]], number: int, log: Logger
    ) -> None:
        self._queue = queue
        self._look_after = look_after
        self._number = number
        self._log = log
        self._problem: str | None = None

    async def run(self) -> None:
        """Work until cancelled. What is cut off is done again after the next start."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._number):
                group.create_task(self._work(), name=f"worker {number}")

    async def _work(self) -> None:
        while True:
            key = await self._queue.take()
            try:
                again = await self._attempt(key)
                if again is not None:
                    self._queue.add_later(key, again)
            finally:
                self._queue.done(key)

    async def _attempt(self, key: Key) -> float | None:
        try:
            again = await self._look_after(key)
            self._problem = None
        except Conflict:  # somebody else was faster: their change is looked at
            return _jittered(_LOST_RACE)
        except StorePluginError as error:
            self._complain(key, error.message)
            return _jittered(_NO_ANSWER)
        except Exception as error:  # a mistake here must not end the work on other Secrets
            self._complain(key, a_bug(error))
            return _jittered(_BUG)
        return again

    def _complain(self, key: Key, problem: str) -> None:
        """Once, until something works."""
        if self._problem != problem:
            self._problem = problem
            self._log.warning("a Secret cannot be looked after", secret=str(key), problem=problem)


def _jittered(seconds: float) -> float:
    return random.uniform(seconds / 2, seconds)
