"""Log lines that a plugin sends over its stream: in the hub's log, under the plugin's name,
cut to size, and no more of them than a person could read."""

import time
from collections.abc import Callable

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.bucket import TokenBucket
from store_plugin.log import Logger

LONGEST_LINE = 2048
"""Characters."""
LINES_PER_SECOND = 20.0
BURST = 100


class PluginLog:
    """Of one stream."""

    def __init__(self, name: str, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._write = {"debug": log.debug, "info": log.info, "warning": log.warning, "error": log.error}
        self._clock = clock
        self._bucket = TokenBucket(LINES_PER_SECOND, BURST, clock())
        self._lost = 0

    def take(self, line: proto.PluginLog) -> None:
        """Write a line, or count it where there are too many."""
        if not self._bucket.take(self._clock()):
            self._lost += 1
            return
        lost, self._lost = self._lost, 0
        write = self._write.get(line.level, self._write["info"])
        fields = {"lines_lost": lost} if lost else {}
        write("plugin says", plugin=self._name, message=line.message[:LONGEST_LINE], **fields)
