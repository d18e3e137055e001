"""Answering an apply without a call: one engine's use of the fingerprints of its process."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from store_plugin.engine.fingerprints import Fingerprints, Known
from store_plugin.model import Applied, ScopedName, Secret


@dataclass(frozen=True, slots=True)
class Asked:
    """An apply that may be answered from its fingerprint."""

    location: str
    fingerprint: bytes


class Recollection:
    """What one engine may answer, `interval` seconds long; 0: nothing. Its changes reset
    what all engines know of the place."""

    def __init__(self, fingerprints: Fingerprints, interval: float, clock: Callable[[], float]) -> None:
        self._fingerprints = fingerprints
        self._engine = fingerprints.new_engine()
        self._interval = interval
        self._clock = clock

    def asked(self, location: str, name: ScopedName, request: Secret) -> Asked | None:
        """None where nothing is ever answered so."""
        if not self._interval:
            return None
        return Asked(location, self._fingerprints.of(self._engine, name, request))

    def answer(self, asked: Asked | None) -> Applied | None:
        """The answer, where the store satisfied the same apply within the interval."""
        if asked is None:
            return None
        since = self._clock() - self._interval
        known = self._fingerprints.recall(asked.location, asked.fingerprint, since)
        return None if known is None else Applied(False, (), known.version)

    def note(self, asked: Asked | None, applied: Applied, at: float) -> None:
        """The store satisfied an apply; `at`: when it was first asked for it."""
        if asked is not None:
            self._fingerprints.remember(asked.location, asked.fingerprint, Known(at, applied.version))

    def changing(self, location: str) -> AbstractContextManager[None]:
        """Around a write or a removal."""
        return self._fingerprints.changing(location, self._clock)
