"""How often a failed call may be repeated: at most a tenth of the calls, so that retries never
multiply the load of a store that fails because of its load (as gRPC's retry throttling, gRFC A6)."""

import random

MOST_RETRIES = 2
"""Of one call."""
_RATIO = 0.1
_MOST = 10.0
_FIRST_PAUSE = 0.1


class RetryBudget:
    """Each call earns a tenth of a retry; ten can be saved up, and are there at first."""

    def __init__(self) -> None:
        self._tokens = _MOST

    def earn(self) -> None:
        if self._tokens < _MOST:
            self._tokens = min(_MOST, self._tokens + _RATIO)

    def spend(self) -> bool:
        """Whether there is a retry left; it is gone then."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def pause_before(retry: int) -> float:
    """Seconds before a retry, counted from 0: longer each time, and never two callers' at once."""
    return _FIRST_PAUSE * float(2**retry) * random.uniform(0.5, 1.0)
