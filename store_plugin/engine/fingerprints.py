"""What the process knows of secrets without asking: keyed digests of applies that left
nothing to do (`driftCheckInterval`; docs/decisions, "Fingerprints of applies").

A fingerprint stands for one apply, as one engine was asked for it, that the store satisfied
at a known time. Nothing of a secret is kept: places and applies are digests under a key that
is made with the process and never leaves it. An entry has the same size whatever the secret.

All engines of a process share one `Fingerprints`, as they share its locks, and whoever
writes to a place clears it first: so a write of ours never leaves a fingerprint behind that
it made wrong, whichever config it went through.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from store_plugin.errors import Conflict
from store_plugin.model import ScopedName, Secret, Version

MOST_PLACES = 10_000
MOST_OF_A_PLACE = 4
"""Applies with different contents that take turns on one secret."""
LONGEST_VERSION = 128
"""Characters of a version that is kept."""
UNSETTLED_SECONDS = 120.0
"""For how long a write that ended badly may still be carried out: longer than any client of
a store waits and tries again."""


@dataclass(frozen=True, slots=True)
class Known:
    """The store satisfied an apply at a time, by the clock of its engine."""

    at: float
    version: Version | None


@dataclass(slots=True)
class _Place:
    unsettled_until: float = 0.0
    known: "OrderedDict[bytes, Known]" = field(default_factory=OrderedDict)


class Fingerprints:
    """Of the applies of a process, the least recently used forgotten first. Belongs to one
    event loop; `remember` and `changing` are for who holds the lock of the place."""

    def __init__(self, most_places: int = MOST_PLACES) -> None:
        self._key = os.urandom(32)
        self._most = most_places
        self._places: OrderedDict[bytes, _Place] = OrderedDict()
        self._engines = 0

    def new_engine(self) -> bytes:
        """A mark for an engine: what one knows is nothing to another, which may have other
        rules."""
        self._engines += 1
        return self._engines.to_bytes(8, "big")

    def of(self, engine: bytes, name: ScopedName, request: Secret) -> bytes:
        """The fingerprint of an apply."""
        digest = hashlib.blake2b(engine, key=self._key, digest_size=32)
        for part in _parts(name, request):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def recall(self, location: str, fingerprint: bytes, since: float) -> Known | None:
        """What is known of an apply, unless it was found before `since`."""
        digest = self._digest(location)
        place = self._places.get(digest)
        known = place.known.get(fingerprint) if place else None
        if place is None or known is None or known.at < since:
            return None
        self._places.move_to_end(digest)
        place.known.move_to_end(fingerprint)
        return known

    def remember(self, location: str, fingerprint: bytes, known: Known) -> None:
        """Keep what an apply found, unless a write of ours may still be under way."""
        place = self._place(location)
        if known.at < place.unsettled_until or len(known.version or "") > LONGEST_VERSION:
            return
        place.known[fingerprint] = known
        place.known.move_to_end(fingerprint)
        if len(place.known) > MOST_OF_A_PLACE:
            place.known.popitem(last=False)

    @contextmanager
    def changing(self, location: str, clock: Callable[[], float]) -> Iterator[None]:
        """Around a write or a removal: forgets what is known of the place. Where it ends
        badly it may be carried out later, so nothing is kept of the place for a while."""
        if place := self._places.get(self._digest(location)):
            place.known.clear()
        try:
            yield
        except Conflict:
            raise  # an answer: nothing is under way any more
        except BaseException:
            self._place(location).unsettled_until = clock() + UNSETTLED_SECONDS
            raise

    def __len__(self) -> int:
        """How many places something is known of."""
        return len(self._places)

    def _place(self, location: str) -> _Place:
        digest = self._digest(location)
        place = self._places.setdefault(digest, _Place())
        self._places.move_to_end(digest)
        if len(self._places) > self._most:
            self._places.popitem(last=False)
        return place

    def _digest(self, location: str) -> bytes:
        return hashlib.blake2b(location.encode(), key=self._key, digest_size=16).digest()


def _parts(name: ScopedName, request: Secret) -> Iterator[bytes]:
    """All of an apply, in an order that is always the same. The numbers keep data and
    metadata apart."""
    yield str(name).encode()
    yield len(request.data).to_bytes(8, "big")
    for key, value in sorted(request.data.items()):
        yield key.encode()
        yield value
    for entry, text in sorted(request.metadata.items()):
        yield entry.encode("utf-8", "surrogatepass")
        yield text.encode("utf-8", "surrogatepass")
