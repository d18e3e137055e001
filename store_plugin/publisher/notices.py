"""From what happens in the cluster to the Secrets that have to be looked at."""

from collections.abc import Callable

from store_plugin.publisher.cluster.watching import Seen
from store_plugin.publisher.conditions import Condition, Place, Reason, Target
from store_plugin.publisher.queue import Key, WorkQueue
from store_plugin.publisher.records import Records
from store_plugin.publisher.wishes.wish import Direction


class Notices:
    """What watches call. `place_of` tells where a Target is."""

    def __init__(self, queue: WorkQueue, records: Records, place_of: Callable[[Target], Place]) -> None:
        self._queue = queue
        self._records = records
        self._place_of = place_of

    def changed(self, seen: Seen, urgent: bool) -> None:
        """A Secret came or changed, or is there (not urgent). Our own writes are known already."""
        record = self._records.get(seen.key)
        if record is None:
            self._claim(seen)
        elif record.version == seen.version:
            return
        if urgent:
            self._records.of(seen.key).changed = True
        self._queue.add(seen.key, urgent=urgent)

    def gone(self, key: Key) -> None:
        """A Secret is there no more, or nobody watches it."""
        self._queue.add(key)

    def store_config_changed(self, name: str) -> None:
        """All Secrets that refer to it may mean something else now. There may be ten thousand:
        those that have changed do not wait for them."""
        for key, record in self._records:
            if record.store_config == name or record.reason is Reason.REMOVAL_BLOCKED:
                self._queue.add(key, urgent=record.changed)

    def store_is_back(self, store_config: str) -> None:
        """Those who could not be published or filled try again."""
        for key, record in self._records:
            if record.store_config == store_config and record.failures:
                self._queue.add(key, urgent=record.changed)

    def turn_has_come(self, key: Key, urgent: bool) -> None:
        """Fewer Secrets of its StoreConfig are worked on now."""
        self._queue.add(key, urgent=urgent)

    def name_is_free(self, place: Place) -> None:
        """Those who wait for a name try again; also who found it taken in the store."""
        namespace = place.name.partition("/")[0]
        for key, record in self._records:
            if key.namespace != namespace or record.reason not in (Reason.NAME_TAKEN, Reason.NOT_OWNER):
                continue
            if self._place_of(Target(record.store_config, place.name)) == place:
                self._queue.add(key, urgent=record.changed)

    def _claim(self, seen: Seen) -> None:
        """What was published before this process began keeps its name, whoever is looked at first."""
        said = Condition.read(seen.said)
        if said is None or said.target is None or said.kind != Direction.PUBLISH:
            return
        if said.target.name.startswith(f"{seen.key.namespace}/"):
            self._records.hold(seen.key, self._place_of(said.target))
            record = self._records.of(seen.key)
            record.uid, record.said = seen.uid, seen.said or ""
            record.store_config = said.target.store_config
