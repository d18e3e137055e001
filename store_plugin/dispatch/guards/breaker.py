"""A circuit breaker: a store that fails most calls is left alone for a moment, and its callers
are told so at once instead of waiting for nothing."""

from enum import Enum

from store_plugin.dispatch.guards.window import Window
from store_plugin.errors import BreakerOpen

LEAST_CALLS = 20
"""In the window, below which nothing is concluded."""
FAILURE_RATE = 0.5
FIRST_REST = 1.0
LONGEST_REST = 10.0
"""Seconds until a probe: after the first failure, and at most, doubled with each probe that fails."""
_PROBE_UNDER_WAY = 1.0


class BreakerState(Enum):
    """As `/configs` and the metrics show it."""

    CLOSED = "Closed"
    OPEN = "Open"
    HALF_OPEN = "HalfOpen"
    """Open, but the next call is let through as a probe, or one is under way."""


class Outcome(Enum):
    """What the end of a call tells of the store."""

    ANSWERED = "answered"
    """Also with an error that is about the request, the secret or our identity."""
    FAILED = "failed"
    UNKNOWN = "unknown"


class Breaker:
    """Of one store. Times are of the caller's clock, in seconds."""

    def __init__(self, config: str) -> None:
        self.probe_at: float | None = None
        """From when on a probe is let through; None while closed."""
        self._config = config
        self._window = Window()
        self._rest = FIRST_REST
        self._probing = False

    def state(self, now: float) -> BreakerState:
        if self.probe_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probing or now >= self.probe_at else BreakerState.OPEN

    def check(self, now: float) -> None:
        """BreakerOpen unless `enter` would let a call through."""
        if self.probe_at is not None and (self._probing or now < self.probe_at):
            raise self.refusal(now)

    def enter(self, now: float) -> bool:
        """Let a call through; BreakerOpen. True for a probe. Tell its end to `record`."""
        if self.probe_at is None:
            return False
        self.check(now)
        self._probing = True
        return True

    def record(self, outcome: Outcome, now: float, *, probe: bool) -> None:
        """A call that was let through has ended. What ends late, begun before the breaker
        opened, does not count."""
        if probe:
            self._probed(outcome, now)
        elif self.probe_at is None and outcome is not Outcome.UNKNOWN:
            failed = outcome is Outcome.FAILED
            self._window.add(now, failed=failed)
            if failed and self._fails():
                self.probe_at = now + self._rest

    def refusal(self, now: float) -> BreakerOpen:
        """What a call is told while the breaker is open, and when to come again."""
        wait = _PROBE_UNDER_WAY if self._probing or self.probe_at is None else self.probe_at - now
        counted = f"{self._window.failures} of the last {self._window.calls} calls to its store failed"
        return BreakerOpen(
            f"{self._config}: {counted}; it is left alone, and asked again in {max(0.0, wait):.1f} s",
            retry_after=max(0.1, wait),
        )

    def _probed(self, outcome: Outcome, now: float) -> None:
        self._probing = False
        if outcome is Outcome.ANSWERED:
            self.probe_at, self._rest = None, FIRST_REST
            self._window.clear()
        elif outcome is Outcome.FAILED:
            self._rest = min(self._rest * 2, LONGEST_REST)
            self.probe_at = now + self._rest

    def _fails(self) -> bool:
        calls = self._window.calls
        return calls >= LEAST_CALLS and self._window.failures >= calls * FAILURE_RATE
