"""How long to wait before the next try: longer each time, never the same for two plugins."""

import random
from collections.abc import Callable

FIRST = 0.2
LONGEST = 30.0
GROWTH = 1.6
HEALTHY_AFTER = 30.0
"""Seconds that it must have lived for the waits to begin anew."""


class Backoff:
    """Waits in seconds."""

    def __init__(
        self,
        jitter: Callable[[float, float], float] = random.uniform,
        *,
        first: float = FIRST,
        longest: float = LONGEST,
    ) -> None:
        self._jitter = jitter
        self._first = self._next = first
        self._longest = longest

    def after(self, lived: float) -> float:
        """The wait after a stream, or a process, that lived so many seconds."""
        if lived >= HEALTHY_AFTER:
            self._next = self._first
        wait, self._next = self._next, min(self._longest, self._next * GROWTH)
        return self._jitter(wait / 2, wait)

    def reset(self) -> None:
        """Begin anew: all went well."""
        self._next = self._first
