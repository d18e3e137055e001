"""How long to wait before the next try: longer each time, never the same for two plugins."""

import random
from collections.abc import Callable

FIRST = 0.2
LONGEST = 30.0
GROWTH = 1.6
HEALTHY_AFTER = 30.0
"""Seconds that a stream must have lived for the waits to begin anew."""


class Backoff:
    """Waits in seconds."""

    def __init__(self, jitter: Callable[[float, float], float] = random.uniform) -> None:
        self._jitter = jitter
        self._next = FIRST

    def after(self, lived: float) -> float:
        """The wait after a stream that lived so many seconds."""
        if lived >= HEALTHY_AFTER:
            self._next = FIRST
        wait, self._next = self._next, min(LONGEST, self._next * GROWTH)
        return self._jitter(wait / 2, wait)
