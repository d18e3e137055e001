"""A lost race is run again, until the deadline."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from store_plugin.errors import Conflict
from store_plugin.model import ScopedName

T = TypeVar("T")

_FIRST_BACKOFF = 0.005
_LONGEST_BACKOFF = 0.5


class Races:
    """Runs what may lose a race. Deadlines are times of `clock`."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.clock = clock or asyncio.get_running_loop().time
        self._sleep = sleep

    async def until_won(
        self,
        name: ScopedName,
        deadline: float,
        once: Callable[[], Awaitable[T]],
        *,
        retry: bool = True,
    ) -> T:
        """Repeat `once` while it loses the race and another try fits into the deadline."""
        backoff = _FIRST_BACKOFF
        while True:
            started = self.clock()
            try:
                return await once()
            except Conflict as conflict:
                now = self.clock()
                pause = random.uniform(backoff / 2, backoff)
                if not retry:
                    raise
                if now + pause + (now - started) >= deadline:
                    raise Conflict(
                        f"secret {name} kept changing until the deadline; try again", retry_after=1.0
                    ) from conflict
            await self._sleep(pause)
            backoff = min(backoff * 2, _LONGEST_BACKOFF)
