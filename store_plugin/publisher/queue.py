"""Which Secrets are to be looked at: each once, however often it was told, and by one worker
at a time.

Only names wait here. What changed goes before what is looked at because time has come, so
that a change does not wait for ten thousand others.
"""

import asyncio
import heapq
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from time import monotonic


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A Secret by its name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class WorkQueue:
    """Belongs to one event loop. Holds at most one entry for each Secret, and one time."""

    def __init__(self) -> None:
        self._urgent: OrderedDict[Key, None] = OrderedDict()
        self._others: OrderedDict[Key, None] = OrderedDict()
        self._taken: dict[Key, bool] = {}
        """Keys that are worked on, and whether they came because something changed."""
        self._again: set[Key] = set()
        """Those of them that were told again meanwhile."""
        self._times: list[tuple[float, int, Key]] = []
        self._due: dict[Key, tuple[float, int]] = {}
        """The time that counts for a key; other entries of the heap are old."""
        self._number = count()
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """Keys that wait for a worker now."""
        return len(self._urgent) + len(self._others)

    @property
    def taken(self) -> int:
        """Keys that a worker has now."""
        return len(self._taken)

    def add(self, key: Key, *, urgent: bool = True) -> None:
        """Have it looked at as soon as a worker is free."""
        self._due.pop(key, None)
        if key in self._taken:
            self._again.add(key)
            return
        if urgent:
            self._others.pop(key, None)
            self._urgent[key] = None
        elif key not in self._urgent:
            self._others[key] = None
        self._news.set()

    def add_later(self, key: Key, seconds: float) -> None:
        """Have it looked at after so many seconds, unless it is told before; one time counts,
        the last that was given."""
        due = (monotonic() + seconds, next(self._number))
        self._due[key] = due
        heapq.heappush(self._times, (*due, key))
        self._sweep()
        self._news.set()

    def forget(self, key: Key) -> None:
        """There is no such Secret any more."""
        self._due.pop(key, None)
        self._urgent.pop(key, None)
        self._others.pop(key, None)

    async def take(self) -> Key:
        """The next key; `done` is to be called for it."""
        while True:
            pause = self._move_due()
            for lane in (self._urgent, self._others):
                if lane:
                    key, _ = lane.popitem(last=False)
                    self._taken[key] = lane is self._urgent
                    return key
            self._news.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                pass

    def done(self, key: Key) -> None:
        """The work is over; a key that was told meanwhile is looked at again."""
        del self._taken[key]
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def is_urgent(self, key: Key) -> bool:
        """Whether a key that is worked on came because something changed."""
        return self._taken.get(key, False)

    def _move_due(self) -> float | None:
        """Put in line what time has come for; seconds until the next, None: nothing waits."""
        now = monotonic()
        while self._times:
            due, number, key = self._times[0]
            if self._due.get(key) != (due, number):
                heapq.heappop(self._times)
            elif due > now:
                return due - now
            else:
                heapq.heappop(self._times)
                self.add(key, urgent=False)
        return None

    def _sweep(self) -> None:
        """Keep the heap as small as what counts in it."""
        if len(self._times) > 2 * len(self._due) + 1000:
            self._times = [(*due, key) for key, due in self._due.items()]
            heapq.heapify(self._times)
