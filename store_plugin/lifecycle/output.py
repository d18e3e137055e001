"""What a plugin process writes: the last lines for whoever asks, and into the log under the
plugin's name, no more of it than a person could read."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from store_plugin.log import Logger

KEPT_LINES = 500
LINES_PER_SECOND = 50.0
BURST = 200.0
_MOST_BEHIND = 1000


class Output:
    """Of one plugin, over all its processes."""

    def __init__(self, plugin: str, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._plugin = plugin
        self._log = log
        self._clock = clock
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._followers: set[asyncio.Queue[str]] = set()
        self._room, self._at, self._lost = BURST, clock(), 0

    def take(self, line: str) -> None:
        """A line of output."""
        self._lines.append(line)
        for follower in self._followers:
            if not follower.full():
                follower.put_nowait(line)
        now = self._clock()
        self._room = min(BURST, self._room + (now - self._at) * LINES_PER_SECOND)
        self._at = now
        if self._room < 1:
            self._lost += 1
            return
        self._room -= 1
        fields = {"lines_lost": self._lost} if self._lost else {}
        self._lost = 0
        self._log.info("plugin output", plugin=self._plugin, line=line, **fields)

    def last(self, most: int = KEPT_LINES) -> list[str]:
        """The newest lines, oldest first."""
        return list(self._lines)[-most:]

    async def follow(self) -> AsyncIterator[str]:
        """The lines from now on; a reader that is a thousand behind loses some."""
        lines: asyncio.Queue[str] = asyncio.Queue(_MOST_BEHIND)
        self._followers.add(lines)
        try:
            while True:
                yield await lines.get()
        finally:
            self._followers.discard(lines)
