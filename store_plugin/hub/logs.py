"""Log lines that plugins cause, what they say and that they were refused: no more of them than a
person could read, and cut to size."""

import time
from collections.abc import Callable

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.bucket import TokenBucket
from store_plugin.hub.registry import Registry
from store_plugin.log import Logger

LONGEST_LINE = 2048
"""Characters."""
LINES_PER_SECOND = 20.0
BURST = 100


class _Paced:
    """Counts the lines that are too many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket = TokenBucket(LINES_PER_SECOND, BURST, clock())
        self._lost = 0

    def take(self) -> dict[str, int] | None:
        """What to add to the next line; None where there is to be none now."""
        if not self._bucket.take(self._clock()):
            self._lost += 1
            return None
        lost, self._lost = self._lost, 0
        return {"lines_lost": lost} if lost else {}


class PluginLog:
    """What the plugin of one stream says, in the hub's log under the plugin's name."""

    def __init__(self, name: str, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._write = {"debug": log.debug, "info": log.info, "warning": log.warning, "error": log.error}
        self._paced = _Paced(clock)

    def take(self, line: proto.PluginLog) -> None:
        """Write a line, or count it where there are too many."""
        if (fields := self._paced.take()) is not None:
            write = self._write.get(line.level, self._write["info"])
            write("plugin says", plugin=self._name, message=line.message[:LONGEST_LINE], **fields)


class Refusals:
    """Of all listeners of a hub: strangers that knock for ever fill no disk."""

    def __init__(self, registry: Registry, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._log = log
        self._paced = _Paced(clock)

    def tell(self, plugin: str, user: str, why: str) -> None:
        """A plugin was turned away; `plugin` and `user` are empty where they are not known."""
        self._registry.refuse(plugin, user, why)
        if (fields := self._paced.take()) is not None:
            self._log.warning("plugin refused", plugin=plugin, user=user, error=why, **fields)
