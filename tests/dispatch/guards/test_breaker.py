"""The breaker opens on a store that fails, never on one that answers, and always comes back."""

from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from store_plugin.dispatch.guards.breaker import (
    FIRST_REST,
    LEAST_CALLS,
    LONGEST_REST,
    Breaker,
    BreakerState,
    Outcome,
)
from store_plugin.dispatch.guards.window import SECONDS
from store_plugin.errors import BreakerOpen, Code


def calls(breaker: Breaker, outcome: Outcome, number: int, now: float = 0.0) -> None:
    for _ in range(number):
        breaker.record(outcome, now, probe=breaker.enter(now))


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker("ShelfConfig/a")
    calls(breaker, Outcome.FAILED, LEAST_CALLS, now)
    assert breaker.state(now) is BreakerState.OPEN
    return breaker


def test_it_opens_where_half_of_enough_calls_failed() -> None:
    breaker = Breaker("ShelfConfig/a")
    calls(breaker, Outcome.ANSWERED, 10)
    calls(breaker, Outcome.FAILED, 9)
    assert breaker.state(0) is BreakerState.CLOSED
    calls(breaker, Outcome.FAILED, 1)
    assert breaker.state(0) is BreakerState.OPEN


@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.UNKNOWN])
def test_only_failures_open_it(outcome: Outcome) -> None:
    breaker = Breaker("ShelfConfig/a")
    calls(breaker, outcome, 1000)
    assert breaker.state(0) is BreakerState.CLOSED


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = Breaker("ShelfConfig/a")
    calls(breaker, Outcome.FAILED, LEAST_CALLS - 1)
    calls(breaker, Outcome.FAILED, 1, now=SECONDS + 4)
    assert breaker.state(SECONDS + 4) is BreakerState.CLOSED


def test_the_refusal_says_when_the_probe_comes() -> None:
    breaker = opened()
    with pytest.raises(BreakerOpen, match="ShelfConfig/a: 20 of the last 20") as caught:
        breaker.enter(0.25)
    assert caught.value.retry_after == FIRST_REST - 0.25
    assert (caught.value.code, caught.value.reason) == (Code.UNAVAILABLE, "BREAKER_OPEN")


def test_one_probe_is_let_through_and_closes_it() -> None:
    breaker = opened()
    assert breaker.enter(FIRST_REST)
    with pytest.raises(BreakerOpen):
        breaker.enter(FIRST_REST)
    breaker.record(Outcome.ANSWERED, FIRST_REST, probe=True)
    assert breaker.state(FIRST_REST) is BreakerState.CLOSED
    calls(breaker, Outcome.FAILED, LEAST_CALLS - 1, FIRST_REST)
    assert breaker.state(FIRST_REST) is BreakerState.CLOSED, "it begins anew"


def test_each_probe_that_fails_doubles_the_rest_up_to_a_bound() -> None:
    breaker, now, rests = opened(), 0.0, []
    for _ in range(6):
        assert breaker.probe_at is not None
        rests.append(breaker.probe_at - now)
        now = breaker.probe_at
        breaker.record(Outcome.FAILED, now, probe=breaker.enter(now))
    assert rests == [1, 2, 4, 8, LONGEST_REST, LONGEST_REST]


def test_a_probe_that_tells_nothing_leaves_the_turn_to_the_next_call() -> None:
    breaker = opened()
    breaker.record(Outcome.UNKNOWN, 1.5, probe=breaker.enter(1.5))
    assert breaker.enter(1.5)


def test_the_end_of_a_call_from_before_neither_closes_nor_prolongs_it() -> None:
    breaker = opened()
    for outcome in Outcome:
        breaker.record(outcome, 0.5, probe=False)
    assert (breaker.state(0.5), breaker.probe_at) == (BreakerState.OPEN, FIRST_REST)


class BreakerMachine(RuleBasedStateMachine):
    """Calls that begin and end in any order, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker("ShelfConfig/a")
        self.now = 0.0
        self.under_way: list[bool] = []
        self.ended: list[tuple[float, bool]] = []

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 3.0, 9.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=st.integers(1, 30))
    def begin(self, number: int) -> None:
        for _ in range(number):
            open_, probe_at = not self.closed, self.breaker.probe_at
            with suppress(BreakerOpen):
                probe = self.breaker.enter(self.now)
                assert probe is open_
                assert probe_at is None or self.now >= probe_at
                self.under_way.append(probe)

    @rule(number=st.integers(1, 30), outcome=st.sampled_from(Outcome))
    def end(self, number: int, outcome: Outcome) -> None:
        for _ in range(min(number, len(self.under_way))):
            was_closed, probe = self.closed, self.under_way.pop(0)
            if was_closed and outcome is not Outcome.UNKNOWN:
                self.ended.append((self.now, outcome is Outcome.FAILED))
            self.breaker.record(outcome, self.now, probe=probe)
            if was_closed and not self.closed:
                recent = [failed for at, failed in self.ended if at > self.now - SECONDS]
                assert sum(recent) >= LEAST_CALLS / 2
            if probe and self.closed:
                assert outcome is Outcome.ANSWERED
                self.ended.clear()

    @property
    def closed(self) -> bool:
        return self.breaker.probe_at is None

    @invariant()
    def there_is_at_most_one_probe(self) -> None:
        assert sum(self.under_way) <= 1

    @invariant()
    def it_is_never_shut_for_good(self) -> None:
        if any(self.under_way):
            return
        self.breaker.check(self.now + LONGEST_REST)


BreakerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestBreaker = BreakerMachine.TestCase
