"""So much for each, so that nobody takes what is meant for all: writes to one Secret, which
another controller may undo each time; Events of one namespace."""

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

from store_plugin.bucket import TokenBucket

_UNSWEPT = 1000

WhoT = TypeVar("WhoT", bound=Hashable)


class Budgets(Generic[WhoT]):
    """A token bucket for each, as long as it is not full: `rate` a second, `burst` after a rest."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[WhoT, tuple[TokenBucket, float]] = {}
        """With the time at which it is full if nothing more is taken."""
        self._sweep_at = _UNSWEPT

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: WhoT) -> bool:
        """Whether there was something left."""
        now = self._clock()
        bucket, full_at = self._buckets.get(who) or (TokenBucket(self._rate, self._burst, now), now)
        if not bucket.take(now):
            return False
        self._buckets[who] = bucket, max(full_at, now) + 1 / self._rate
        if len(self._buckets) > self._sweep_at:
            self._sweep(now)
        return True

    def _sweep(self, now: float) -> None:
        """Forget the full ones: a new one is full as well."""
        self._buckets = {who: kept for who, kept in self._buckets.items() if kept[1] > now}
        self._sweep_at = 2 * len(self._buckets) + _UNSWEPT
