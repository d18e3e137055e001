"""After a login that failed the server is left alone for a while, longer each time.

Whoever needs a token meanwhile is told the same at once, and when the next login is tried:
a config that is wrong costs the server next to nothing, however many requests use it.
"""

import random
from collections.abc import Callable

from store_plugin.errors import LoginRefused, StorePluginError, Throttled

_FIRST_SECONDS = 1.0
_LONGEST_REFUSED = 60.0
"""Credentials that are refused are mended by people; new ones end the pause at once."""
_LONGEST_OTHERWISE = 5.0
"""A server that is away comes back by itself, and is then wanted soon."""
_MOST_DOUBLINGS = 8


class Backoff:
    """Pauses between failed attempts. `clock` in seconds, `jitter` from 0 to 1."""

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._failures = 0
        self._failure: StorePluginError | None = None
        self._until = float("-inf")

    def check(self) -> None:
        """Raise the last failure, anew, while it is too early for another attempt."""
        left = self._until - self._clock()
        if self._failure is None or left <= 0:
            return
        said = f"{self._failure.message}; the next login is tried in {left:.1f} s"
        raise type(self._failure)(said, metadata=self._failure.metadata, retry_after=left)

    def failed(self, error: StorePluginError) -> StorePluginError:
        """Begin a pause; returns `error` with its length as `retry_after`."""
        longest = _LONGEST_REFUSED if isinstance(error, LoginRefused) else _LONGEST_OTHERWISE
        pause = min(longest, _FIRST_SECONDS * 2 ** min(self._failures, _MOST_DOUBLINGS))
        pause *= 1 - self._jitter() / 2
        if isinstance(error, Throttled):
            pause = max(pause, error.retry_after or 0.0)
        self._failures += 1
        self._until = self._clock() + pause
        error.retry_after = pause
        self._failure = error
        return error

    def reset(self) -> None:
        """The next attempt may come at once, and the next pause is a short one."""
        self._failures, self._failure, self._until = 0, None, float("-inf")
