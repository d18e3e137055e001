"""What the publisher remembers of each Secret that concerns it: no values, and little of it.

All of it can be lost: after a restart every Secret is compared with the store once, which
costs a read and no write.
"""

import hmac
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from store_plugin.publisher.conditions import Place, Reason
from store_plugin.publisher.queue import Key

_PATIENCE = 10.0
"""Seconds for which what goes by itself is not told: two writes for each Secret are saved."""


class Fingerprints:
    """Tells whether something is the same as before. The key is of this process and is never
    written anywhere, so that a fingerprint says nothing to anybody else."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, what: str, data: Mapping[str, bytes]) -> bytes:
        """16 bytes for data and what is done with it."""
        seal = hmac.new(self._key, f"{len(what)}:{what}".encode(), "sha256")
        for key, value in sorted(data.items()):
            seal.update(f"{len(key)}:{key}{len(value)}:".encode())
            seal.update(value)
        return seal.digest()[:16]


@dataclass(slots=True)
class Record:
    """One Secret."""

    uid: str = ""
    version: str = ""
    """resourceVersion that was worked on, our own writes included."""
    store_config: str = ""
    fingerprint: bytes = field(default=b"", repr=False)
    """Of what was published last; empty: it has to be compared with the store."""
    compared_at: float = 0.0
    direction: str = ""
    reason: Reason | None = None
    changed: bool = False
    """Whether there is a change that has not been worked on with success."""
    failures: int = 0
    failing_since: float = 0.0
    said: str = ""
    """The condition as it is written, or was until somebody took it away."""
    told_at: float = 0.0
    """When an Event last said that its removal is blocked."""

    def failed(self) -> None:
        """Once more in a row."""
        if not self.failures:
            self.failing_since = monotonic()
        self.failures += 1

    def worked(self) -> None:
        self.failures, self.changed = 0, False

    @property
    def keeps_failing(self) -> bool:
        """Whether it has not worked for so long that it is worth telling."""
        return self.failures > 0 and monotonic() > self.failing_since + _PATIENCE


class Records:
    """All of them, and who has which name."""

    def __init__(self) -> None:
        self._records: dict[Key, Record] = {}
        self._holders: dict[Place, Key] = {}
        self._held: dict[Key, Place] = {}
        self._wanted: set[Place] = set()
        """Places that were found taken, until they are free."""

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[tuple[Key, Record]]:
        return iter(self._records.items())

    def get(self, key: Key) -> Record | None:
        return self._records.get(key)

    def of(self, key: Key) -> Record:
        """The record, a new one where there is none."""
        return self._records.setdefault(key, Record())

    def forget(self, key: Key) -> None:
        self._records.pop(key, None)
        self.release(key)

    def holder(self, place: Place) -> Key | None:
        """The Secret that is published there, or on its way."""
        return self._holders.get(place)

    def is_of_another(self, key: Key, place: Place) -> bool:
        """Whether another Secret is published there."""
        holder = self._holders.get(place)
        return holder is not None and holder != key and self._held.get(holder) == place

    def holds(self, key: Key) -> Place | None:
        """The place that a Secret has."""
        return self._held.get(key)

    def hold(self, key: Key, place: Place) -> None:
        """Note where a Secret is published; it is at one place only."""
        if self._held.get(key) != place:
            self.release(key)
            self._held[key] = place
        self._holders.setdefault(place, key)

    def want(self, place: Place) -> None:
        """Somebody waits until this place is free."""
        self._wanted.add(place)

    def is_wanted(self, place: Place) -> bool:
        """Whether somebody waited for a place that is free now; true once."""
        if place in self._holders or place not in self._wanted:
            return False
        self._wanted.discard(place)
        return True

    def no_longer_wanted(self, place: Place) -> None:
        """All who may wait for this place are told, whoever they are."""
        self._wanted.discard(place)

    @contextmanager
    def reserved(self, key: Key, place: Place) -> Iterator[None]:
        """Keep others off a free place while a Secret is brought there; it is free again where that
        fails, unless the Secret had it before."""
        self._holders.setdefault(place, key)
        try:
            yield
        except BaseException:
            if self._held.get(key) != place and self._holders.get(place) == key:
                del self._holders[place]
            raise

    def release(self, key: Key) -> Place | None:
        """The place that a Secret gives up, where it had one."""
        place = self._held.pop(key, None)
        if place is not None and self._holders.get(place) == key:
            del self._holders[place]
            return place
        return None
