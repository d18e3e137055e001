"""When a plugin is left alone, because starting it again has not helped.

Counted are failures with too little time between them in which it was well. Time that it takes to
fail does not count: one that needs a minute for each start that comes to nothing has failed as often
as one that exits at once, only later.
"""

from collections import deque

MOST_FAILURES, WINDOW = 5, 300.0
"""So many failures with less than so many seconds of being well between them, and it is open."""


class Circuit:
    """Of one plugin."""

    def __init__(self, most: int = MOST_FAILURES, window: float = WINDOW) -> None:
        self._window = window
        self._failures: deque[float] = deque(maxlen=most)
        """Each as the seconds of being well before it, all in all."""
        self._well = 0.0
        self._tripped = False

    @property
    def open(self) -> bool:
        """Whether it is not to be started as a matter of course any more."""
        full = len(self._failures) == self._failures.maxlen
        return self._tripped or (full and self._well - self._failures[0] < self._window)

    def failed(self, well_for: float) -> None:
        """It ended, or did not become ready, after so many seconds of being well."""
        self._well += well_for
        self._failures.append(self._well)

    def trip(self) -> None:
        """Open it at once: starting again cannot help. Until `forgive` or `ready`."""
        self._tripped = True

    def forgive(self) -> None:
        """What it was tripped for may have changed."""
        if self._tripped:
            self.reset()

    def ready(self) -> None:
        """It is well, for now: its failures count until it has been so for a while."""
        self._tripped = False

    def reset(self) -> None:
        """Begin anew: somebody asks for it, or for another version."""
        self._failures.clear()
        self._tripped = False
