"""What plugins say of the calls that they served, in the audit record.

A record is a write to the disk, and calls come by the thousand. So records wait for their turn,
nobody waits for them, and there are so many a second: what exceeds that is counted, and the next
record of the plugin tells how many went without.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from store_plugin.bucket import TokenBucket
from store_plugin.errors import StorePluginError
from store_plugin.lifecycle.audit import AuditLog, Value
from store_plugin.log import Logger

RECORDS_PER_SECOND = 20.0
BURST = 200
MOST_WAITING = 200


@dataclass(frozen=True, slots=True)
class CallNote:
    """One call of a plugin, and the keys that it came back with."""

    plugin: str
    instance: str
    method: str
    keys: tuple[str, ...]


class CallNotes:
    """Belongs to one event loop. `run` is owned by whoever starts it."""

    def __init__(self, audit: AuditLog, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._log = log
        self._clock = clock
        self._bucket = TokenBucket(RECORDS_PER_SECOND, BURST, clock())
        self._waiting: asyncio.Queue[CallNote] = asyncio.Queue(MOST_WAITING)
        self._left_out: Counter[str] = Counter()

    def take(self, note: CallNote) -> None:
        """A call came back with keys."""
        if self._waiting.full() or not self._bucket.take(self._clock()):
            self._left_out[note.plugin] += 1
        else:
            self._waiting.put_nowait(note)

    async def run(self) -> None:
        """Write them down until cancelled; then those that wait are written still."""
        try:
            while True:
                await self._record(await self._waiting.get())
        finally:
            while not self._waiting.empty():
                await self._record(self._waiting.get_nowait())

    async def _record(self, note: CallNote) -> None:
        left_out = self._left_out.pop(note.plugin, 0)
        try:
            await asyncio.to_thread(self._audit.record, "call", note.plugin, _fields(note, left_out))
        except StorePluginError as error:
            self._left_out[note.plugin] += left_out + 1
            self._log.error("a call could not be recorded", plugin=note.plugin, error=error.message)


def _fields(note: CallNote, left_out: int) -> Mapping[str, Value]:
    fields: dict[str, Value] = {"instance": note.instance, "method": note.method, "keys": list(note.keys)}
    if left_out:
        fields["not_recorded"] = left_out
    return fields
