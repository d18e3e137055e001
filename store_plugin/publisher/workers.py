"""The workers: so many Secrets at a time, and a pause before each that the API server could
not answer for."""

import asyncio
from collections.abc import Awaitable, Callable

from store_plugin.bugs import a_bug
from store_plugin.errors import Conflict, LoginRefused, StorePluginError, StoreUnavailable, Throttled
from store_plugin.publisher.queue import Key, WorkQueue
from store_plugin.store import Logger
from store_plugin.watching.pauses import Growing, Pauses

_LOST_RACE = Pauses(0.3, 5.0)
_NO_ANSWER = Pauses(2.0, 30.0)
_REFUSED = Pauses(5.0, 300.0)
_BUG = Pauses(60.0, 600.0)
"""How long a Secret rests, the longer the more often in a row it had to."""
_OF_ALL = (StoreUnavailable, Throttled, LoginRefused)
"""What the API server answers for any Secret, and what passes by itself or is mended for all."""


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
        self._resting: dict[Key, tuple[Pauses, Growing]] = {}

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
        except Conflict:  # somebody else was faster: their change is looked at
            return self._rest(key, _LOST_RACE)
        except StorePluginError as error:
            self._complain(key, error.message)
            return self._rest(key, _NO_ANSWER if isinstance(error, _OF_ALL) else _REFUSED)
        except Exception as error:  # a mistake here must not end the work on other Secrets
            self._complain(key, a_bug(error))
            return self._rest(key, _BUG)
        self._problem = None
        self._resting.pop(key, None)
        return again

    def _rest(self, key: Key, pauses: Pauses) -> float:
        """Seconds; a series goes on as long as it is for the same cause."""
        cause, series = self._resting.get(key, (None, None))
        if series is None or cause != pauses:
            series = pauses.start()
        self._resting[key] = pauses, series
        return series.next()

    def _complain(self, key: Key, problem: str) -> None:
        """Once, until something works."""
        if self._problem != problem:
            self._problem = problem
            self._log.warning("a Secret cannot be looked after", secret=str(key), problem=problem)
