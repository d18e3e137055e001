"""How many of the calls of the last half a minute failed."""

SECONDS = 30.0
_PARTS = 10
_WIDTH = SECONDS / _PARTS


class Window:
    """Counts in ten parts; with time the oldest part is forgotten as a whole."""

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self._parts = [[0, 0] for _ in range(_PARTS)]
        self._newest = 0

    def add(self, now: float, *, failed: bool) -> None:
        """Count a call that ended `now`."""
        number = int(now / _WIDTH)
        if number != self._newest:
            self._forget_until(number)
        part = self._parts[number % _PARTS]
        part[0] += 1
        self.calls += 1
        if failed:
            part[1] += 1
            self.failures += 1

    def clear(self) -> None:
        for part in self._parts:
            part[:] = 0, 0
        self.calls = self.failures = 0

    def _forget_until(self, number: int) -> None:
        for old in range(max(self._newest + 1, number - _PARTS + 1), number + 1):
            part = self._parts[old % _PARTS]
            self.calls -= part[0]
            self.failures -= part[1]
            part[:] = 0, 0
        self._newest = number
