"""Each has a budget of its own, and nobody's is kept for ever."""

import pytest

from store_plugin.publisher.cluster.budgets import Budgets
from tests.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_what_is_spent_comes_back_with_time_and_costs_others_nothing(clock: FakeClock) -> None:
    budgets = Budgets[str](0.5, 3, clock)
    assert [budgets.take("a") for _ in range(4)] == [True, True, True, False]
    assert budgets.take("b")
    clock.now = 2.0
    assert [budgets.take("a") for _ in range(2)] == [True, False]


def test_no_more_are_kept_than_have_spent_lately(clock: FakeClock) -> None:
    budgets = Budgets[int](1.0, 10, clock)
    for who in range(5000):
        clock.now += 1.0
        budgets.take(who)
    assert len(budgets) <= 1001


def test_who_has_spent_much_is_kept_until_it_has_come_back(clock: FakeClock) -> None:
    budgets = Budgets[int](1.0, 2, clock)
    assert [budgets.take(-1) for _ in range(3)] == [True, True, False]
    for who in range(3000):
        budgets.take(who)
    assert not budgets.take(-1)
