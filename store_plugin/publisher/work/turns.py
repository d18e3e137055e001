"""How many Secrets of one StoreConfig are worked on at a time: never as many as there are
workers, so that a store that is slow to fail leaves some to the others; and one only, until it
has answered.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from store_plugin.publisher.conditions import Refused
from store_plugin.publisher.queue import Key


class NotYet(Exception):
    """The Secret waits for its turn, and is looked at again by itself."""


class Turns:
    """`most`: calls to one StoreConfig that has answered last. `again` is called with a Secret
    whose turn may have come, and whether it is `urgent`: those come before the others."""

    def __init__(self, most: int, again: Callable[[Key, bool], None], urgent: Callable[[Key], bool]) -> None:
        self._most = most
        self._again = again
        self._urgent = urgent
        self._under_way: Counter[str] = Counter()
        self._answering: set[str] = set()
        self._waiting: dict[str, OrderedDict[Key, bool]] = {}

    def forget(self, store_config: str) -> None:
        """It may name another place now, which has not answered yet; or it is gone."""
        self._answering.discard(store_config)

    def has_to_wait(self, store_config: str, key: Key) -> bool:
        """Whether there are enough others; then the Secret is called when there are fewer."""
        if self._under_way[store_config] < self._bound(store_config):
            return False
        waiting = self._waiting.setdefault(store_config, OrderedDict())
        waiting[key] = self._urgent(key) or waiting.get(key, False)
        if waiting[key]:
            waiting.move_to_end(key, last=False)
        return True

    @contextmanager
    def taken(self, store_config: str, key: Key) -> Iterator[None]:
        """Around each call. NotYet where the Secret has to wait."""
        if self.has_to_wait(store_config, key):
            raise NotYet
        self._under_way[store_config] += 1
        answered = False
        try:
            yield
            answered = True
        except Refused as error:
            answered = not error.away
            raise
        finally:
            self._end(store_config, answered)

    def _bound(self, store_config: str) -> int:
        return self._most if store_config in self._answering else 1

    def _end(self, store_config: str, answered: bool) -> None:
        """Call as many as there is room for; after the last one all, since one that is called may
        need no turn."""
        self._under_way[store_config] -= 1
        (self._answering.add if answered else self._answering.discard)(store_config)
        waiting = self._waiting.get(store_config, OrderedDict())
        under_way = self._under_way[store_config]
        room = self._bound(store_config) - under_way if under_way else len(waiting)
        for _ in range(min(room, len(waiting))):
            self._again(*waiting.popitem(last=False))
        if not waiting:
            self._waiting.pop(store_config, None)
        if not under_way:
            del self._under_way[store_config]
