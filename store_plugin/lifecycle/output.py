"""What a plugin process writes: the last lines for whoever asks, and into the log under the
plugin's name, no more of it than a person could read."""

import time
from collections import deque
from collections.abc import Callable

from store_plugin.bucket import TokenBucket
from store_plugin.log import Logger

KEPT_LINES = 500
LINES_PER_SECOND = 50.0
BURST = 200


class Output:
    """Of one plugin, over all its processes."""

    def __init__(self, plugin: str, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._plugin = plugin
        self._log = log
        self._clock = clock
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._bucket = TokenBucket(LINES_PER_SECOND, BURST, clock())
        self._lost = 0

    def take(self, line: str) -> None:
        """A line of output."""
        self._lines.append(line)
        if not self._bucket.take(self._clock()):
            self._lost += 1
            return
        fields = {"lines_lost": self._lost} if self._lost else {}
        self._lost = 0
        self._log.info("plugin output", plugin=self._plugin, line=line, **fields)

    def last(self, most: int = KEPT_LINES) -> list[str]:
        """The newest lines, oldest first."""
        return list(self._lines)[-most:]
