"""Calls to one store: a gate and a breaker before each, what it tells noted after it, and a
pause before what is repeated.

It stands outside of what measures the store: a call that is refused here is none to the store,
and one that is repeated is two.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import TypeVar

from store_plugin.bucket import TokenBucket
from store_plugin.dispatch.guards.breaker import Breaker, BreakerState, Outcome
from store_plugin.dispatch.guards.budget import RetryBudget, pause_before
from store_plugin.dispatch.guards.deadline import request_deadline
from store_plugin.dispatch.guards.gate import Gate
from store_plugin.dispatch.guards.observer import GuardObserver, GuardState
from store_plugin.errors import DeadlineExceeded, StorePluginError, StoreUnavailable, Throttled
from store_plugin.model import ConfigReference
from store_plugin.spec import CallLimits, StoreSpec
from store_plugin.store import Logger

T = TypeVar("T")

_UNANSWERED_SECONDS = 1.0
"""A call that is cancelled before says nothing of the store: its caller had no patience."""
_UNUSUAL = 4.0
_ASKED_FOR = 1.0
"""What stores say who were told of no time to wait: only more than that was asked for."""
PASSING = (StoreUnavailable, Throttled, DeadlineExceeded)
"""Errors that another call may not meet."""


class GuardedCalls:
    """The guards of one open store. Belongs to one event loop."""

    def __init__(self, config: ConfigReference, spec: StoreSpec, observe: GuardObserver, log: Logger) -> None:
        self._config = config
        self._timeout = spec.timeout
        self._observe = observe
        self._log = log
        self._clock = asyncio.get_running_loop().time
        self._gate = Gate(str(config), spec.limits.max_concurrent, _bucket(spec.limits, self._clock()))
        self._breaker = Breaker(str(config))
        self._budget = RetryBudget()
        self._refused = 0
        self._repeated = 0

    @property
    def state(self) -> GuardState:
        """How they stand."""
        now, probe_at = self._clock(), self._breaker.probe_at
        return GuardState(
            breaker=self._breaker.state(now),
            probe_at=None if probe_at is None else time.time() + probe_at - now,
            in_flight=self._gate.in_flight,
            waiting=self._gate.waiting,
            slots=self._gate.slots,
            refused=self._refused,
            repeated=self._repeated,
        )

    @property
    def problem(self) -> str | None:
        """Why calls are refused just now; None where they are not."""
        now = self._clock()
        if self._breaker.state(now) is BreakerState.CLOSED:
            return None
        return self._breaker.refusal(now).message

    async def begin(self) -> bool:
        """As `enter`, for the first call of a request, which earns the store repetitions."""
        probe = await self.enter()
        self._budget.earn()
        return probe

    async def enter(self) -> bool:
        """A slot, and whether the call is the breaker's probe. BreakerOpen, Overloaded,
        Throttled, DeadlineExceeded; nothing is taken then."""
        now = self._clock()
        try:
            self._breaker.check(now)
            if self._gate.try_enter(now):
                return self._breaker.enter(now)
            await self._gate.enter(self._deadline(now))
        except StorePluginError as error:
            self._count_refusal(error)
            raise
        try:
            return self._breaker.enter(self._clock())
        except StorePluginError as error:
            self._gate.leave()
            self._count_refusal(error)
            raise

    async def make(self, call: Callable[[], Awaitable[T]], probe: bool) -> T:
        """Make the call that `enter` let in, and note what its end tells."""
        started = self._clock()
        outcome = Outcome.UNKNOWN
        try:
            result = await call()
            outcome = Outcome.ANSWERED
            return result
        except StorePluginError as error:
            outcome = self._outcome_of(error)
            raise
        except asyncio.CancelledError:
            if self._clock() - started >= max(_UNANSWERED_SECONDS, _UNUSUAL * self._gate.seconds):
                outcome = Outcome.FAILED
            raise
        finally:
            self._ended(started, outcome, probe)

    async def pause(self, verb: str, retry: int, error: StorePluginError, began: float) -> bool:
        """Wait before a repetition; False where there shall be none: too soon after others, or
        too late for the deadline if it takes as long as what failed."""
        now, pause = self._clock(), pause_before(retry)
        asked_for = error.retry_after or 0.0
        if isinstance(error, Throttled) or asked_for > _ASKED_FOR:
            pause = max(pause, asked_for)
        if now + pause + (now - began) >= self._deadline(began) or not self._budget.spend():
            return False
        await asyncio.sleep(pause)
        self._repeated += 1
        self._observe.store_call_repeated(self._config.kind, verb)
        return True

    def close(self) -> None:
        """Nobody who waits gets in any more."""
        self._gate.close()

    def _outcome_of(self, error: StorePluginError) -> Outcome:
        if isinstance(error, Throttled):
            self._gate.throttled(error.retry_after or _ASKED_FOR)
            return Outcome.ANSWERED
        return Outcome.FAILED if isinstance(error, PASSING) else Outcome.ANSWERED

    def _ended(self, started: float, outcome: Outcome, probe: bool) -> None:
        now = self._clock()
        was_closed = self._breaker.probe_at is None
        self._breaker.record(outcome, now, probe=probe)
        if outcome is Outcome.ANSWERED:
            self._gate.answered(now - started)
        if was_closed is not (self._breaker.probe_at is None):
            self._note_change(now, opened=was_closed)
        self._gate.leave()

    def _note_change(self, now: float, *, opened: bool) -> None:
        if not opened:
            self._log.info("breaker closed", config=str(self._config))
            return
        self._log.warning(
            "breaker opened", config=str(self._config), reason=self._breaker.refusal(now).message
        )
        self._gate.dismiss(partial(self._breaker.refusal, now))

    def _count_refusal(self, error: StorePluginError) -> None:
        self._refused += 1
        self._observe.store_call_refused(self._config.kind, error.reason or error.code.name)

    def _deadline(self, now: float) -> float:
        deadline = request_deadline.get()
        return now + self._timeout if deadline == inf else deadline


def _bucket(limits: CallLimits, now: float) -> TokenBucket | None:
    rate = limits.requests_per_second
    if rate is None:
        return None
    return TokenBucket(rate, limits.burst or max(1, int(rate)), now)
