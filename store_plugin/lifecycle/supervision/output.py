"""What a plugin process writes: the last lines for whoever asks, each as it comes for whoever
follows, and into the log under the plugin's name, no more of it than a person could read."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from store_plugin.bucket import TokenBucket
from store_plugin.errors import Overloaded
from store_plugin.log import Logger

KEPT_LINES = 500
LINES_PER_SECOND = 50.0
BURST = 200
MOST_WAITING = 1000
"""Lines that wait for one follower; of more the oldest are lost."""
MOST_FOLLOWERS = 8
"""Of one plugin."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and when it came."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """What a follower gets at a time; `lost` lines before these came too fast for it."""

    lines: tuple[Line, ...]
    lost: int


class Follower:
    """One reader of what comes. Belongs to one event loop."""

    def __init__(self, begun: Iterable[Line]) -> None:
        self._lines = deque(begun, maxlen=MOST_WAITING)
        self._lost = 0
        self._ended = False
        self._news = asyncio.Event()

    async def take(self, most: int) -> Lines | None:
        """The next lines, as soon as there are any; None after the last."""
        while not self._lines:
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        taken = tuple(self._lines.popleft() for _ in range(min(most, len(self._lines))))
        lost, self._lost = self._lost, 0
        return Lines(taken, lost)

    def add(self, line: Line) -> None:
        """A line has come."""
        self._lost += len(self._lines) == MOST_WAITING
        self._lines.append(line)
        self._news.set()

    def end(self) -> None:
        """None comes any more."""
        self._ended = True
        self._news.set()


class Output:
    """Of one plugin, over all its processes."""

    def __init__(self, plugin: str, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._plugin = plugin
        self._log = log
        self._clock = clock
        self._lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._bucket = TokenBucket(LINES_PER_SECOND, BURST, clock())
        self._lost = 0
        self._followers: list[Follower] = []
        self._ended = False

    def take(self, line: str) -> None:
        """A line of output."""
        kept = Line(datetime.now(UTC), line)
        self._lines.append(kept)
        for follower in self._followers:
            follower.add(kept)
        if not self._bucket.take(self._clock()):
            self._lost += 1
            return
        fields = {"lines_lost": self._lost} if self._lost else {}
        self._lost = 0
        self._log.info("plugin output", plugin=self._plugin, line=line, **fields)

    @property
    def followers(self) -> int:
        """Who reads what comes now."""
        return len(self._followers)

    def last(self, most: int = KEPT_LINES) -> list[str]:
        """The newest lines, oldest first."""
        return [line.text for line in self._newest(most)]

    @contextmanager
    def followed(self, most: int, *, on: bool) -> Iterator[Follower]:
        """The newest lines, and with `on` those that come. Overloaded."""
        if len(self._followers) >= MOST_FOLLOWERS:
            raise Overloaded(f"{MOST_FOLLOWERS} follow the output of {self._plugin}, the limit")
        follower = Follower(self._newest(most))
        if not on or self._ended:
            follower.end()
        self._followers.append(follower)
        try:
            yield follower
        finally:
            self._followers.remove(follower)

    def end(self) -> None:
        """The plugin is not run any more."""
        self._ended = True
        for follower in self._followers:
            follower.end()

    def _newest(self, most: int) -> list[Line]:
        return list(self._lines)[-most:] if most else []
