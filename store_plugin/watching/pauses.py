"""Pauses between attempts that grow and are never the same for two processes.

Many sidecars lose their watches in the same moment, when an API server restarts; they must
not come back in the same moment.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pauses:
    """In seconds: the first, and the longest; each is up to twice as long as the last."""

    first: float = 0.2
    longest: float = 15.0

    def up_to(self, longest: float) -> "Pauses":
        """The same with none that is longer."""
        return Pauses(min(self.first, longest), min(self.longest, longest))

    def start(self) -> "Growing":
        """A series of pauses, from the first on."""
        return Growing(self)


class Growing:
    """One series of pauses."""

    def __init__(self, pauses: Pauses) -> None:
        self._pauses = pauses
        self._next = pauses.first

    def next(self) -> float:
        """The next pause, somewhere between the half and the whole of what is due."""
        due, self._next = self._next, min(2 * self._next, self._pauses.longest)
        return random.uniform(due / 2, due)

    def reset(self) -> None:
        """Begin with the first again: something worked."""
        self._next = self._pauses.first
