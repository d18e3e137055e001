"""Stores that are away: one Secret at a time tries whether they are back, all others wait.

Each attempt may take seconds, and there may be thousands of Secrets: without this, a sidecar
that is down would keep all workers from those of other stores.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from store_plugin.publisher.conditions import Refused

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two attempts: growing, and never the same for two publishers."""
_NEXT = 8
"""Secrets that come soon after the time of the next attempt, so that there is one that makes it."""
_MEANWHILE = 60.0
"""Seconds that the others wait at most, unless the store is back before."""


@dataclass(slots=True)
class _Outage:
    cause: Refused
    pause: float
    until: float
    tried: bool = False
    """Whether somebody is trying just now."""
    turned_away: int = 0


class Outages:
    """By StoreConfig. `over` is called when one is back."""

    def __init__(self, over: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._over = over
        self._clock = clock
        self._outages: dict[str, _Outage] = {}

    def forget(self, store_config: str) -> None:
        """It may name another place now."""
        self._outages.pop(store_config, None)

    @contextmanager
    def passing(self, store_config: str) -> Iterator[None]:
        """Around each call. Refused, with the cause, where others are to try first."""
        outage = self._outages.get(store_config)
        if outage is not None:
            self._wait_or_try(outage)
        try:
            yield
        except Refused as error:
            if not error.away:
                self._end(store_config)
                raise
            raise self._lasting(store_config, error) from None
        else:
            self._end(store_config)
        finally:
            if outage is not None:
                outage.tried = False

    def _wait_or_try(self, outage: _Outage) -> None:
        left = outage.until - self._clock()
        if not outage.tried and left <= 0:
            outage.tried = True
            return
        outage.turned_away += 1
        if outage.turned_away <= _NEXT:
            wait = max(left, 0.0) + random.uniform(0, outage.pause)
        else:
            wait = random.uniform(_MEANWHILE / 2, _MEANWHILE)
        raise Refused(outage.cause.reason, outage.cause.message, wait, away=True)

    def _lasting(self, store_config: str, error: Refused) -> Refused:
        """The same, with the time at which it is to be tried again."""
        before = self._outages.get(store_config)
        due = _FIRST_PAUSE if before is None else before.pause
        if before is not None and not before.tried:
            due = min(before.pause, _FIRST_PAUSE)  # one of those that were under way when it began
        pause = max(random.uniform(due / 2, due), error.retry_after or 0.0)
        longer = min(2 * due, _LONGEST_PAUSE)
        self._outages[store_config] = _Outage(error, longer, self._clock() + pause)
        return Refused(error.reason, error.message, pause, away=True)

    def _end(self, store_config: str) -> None:
        if self._outages.pop(store_config, None) is not None:
            self._over(store_config)
