"""No StoreConfig has all workers, and nobody waits for ever."""

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.queue import Key
from store_plugin.publisher.work.turns import NotYet, Turns

AWAY = Refused(Reason.NOT_REACHABLE, "nobody there", away=True)
KEYS = [Key("ns", f"db-{number}") for number in range(10)]


class Place:
    def __init__(self) -> None:
        self.called: list[Key] = []
        self.turns = Turns(3, lambda key, _: self.called.append(key), lambda _: False)

    def answered(self, config: str = "vault") -> None:
        with self.turns.taken(config, KEYS[0]):
            pass

    def failed(self) -> None:
        with pytest.raises(Refused), self.turns.taken("vault", KEYS[0]):
            raise AWAY


@pytest.fixture
def place() -> Place:
    return Place()


def test_one_goes_first_until_there_was_an_answer(place: Place) -> None:
    with place.turns.taken("vault", KEYS[0]):
        for key in KEYS[1:]:
            with pytest.raises(NotYet), place.turns.taken("vault", key):
                pass
    assert place.called == KEYS[1:]
    with place.turns.taken("vault", KEYS[1]), place.turns.taken("vault", KEYS[2]):
        pass


def test_no_store_config_has_more_than_its_share(place: Place) -> None:
    place.answered()
    with ExitStack() as stack:
        for key in KEYS[:3]:
            stack.enter_context(place.turns.taken("vault", key))
        assert place.turns.has_to_wait("vault", KEYS[3])
        assert not place.turns.has_to_wait("other", KEYS[4])
    assert place.called == [KEYS[3]]


def test_what_changed_comes_before_what_is_only_compared() -> None:
    called: list[tuple[Key, bool]] = []
    turns = Turns(1, lambda key, urgent: called.append((key, urgent)), {KEYS[9]}.__contains__)
    with turns.taken("vault", KEYS[0]):
        for key in KEYS[1:]:
            assert turns.has_to_wait("vault", key)
    assert called == [(KEYS[9], True), *((key, False) for key in KEYS[1:9])]


def test_after_a_failure_one_goes_first_again(place: Place) -> None:
    place.answered()
    place.failed()
    with place.turns.taken("vault", KEYS[0]):
        assert place.turns.has_to_wait("vault", KEYS[1])


def test_a_store_config_that_has_changed_has_to_answer_anew(place: Place) -> None:
    place.answered()
    place.turns.forget("vault")
    with place.turns.taken("vault", KEYS[0]):
        assert place.turns.has_to_wait("vault", KEYS[1])
    assert place.called == [KEYS[1]]
    with place.turns.taken("vault", KEYS[1]):
        assert not place.turns.has_to_wait("vault", KEYS[2])


def test_a_refusal_of_one_secret_is_an_answer(place: Place) -> None:
    with pytest.raises(Refused), place.turns.taken("vault", KEYS[0]):
        raise Refused(Reason.NOT_OWNER, "theirs")
    with place.turns.taken("vault", KEYS[0]):
        assert not place.turns.has_to_wait("vault", KEYS[1])


@given(st.lists(st.tuples(st.sampled_from(["ask", "answer", "fail"]), st.integers(0, 9))))
def test_who_waits_is_called_when_nobody_is_under_way(steps: list[tuple[str, int]]) -> None:
    called: set[Key] = set()
    turns = Turns(3, lambda key, _: called.add(key), lambda _: False)
    under_way: list[ExitStack] = []
    waiting: set[Key] = set()
    for step, number in steps:
        if step == "ask":
            stack = ExitStack()
            try:
                stack.enter_context(turns.taken("vault", KEYS[number]))
                under_way.append(stack)
            except NotYet:
                waiting.add(KEYS[number])
                called.discard(KEYS[number])
        elif under_way:
            stack = under_way.pop(number % len(under_way))
            error = AWAY if step == "fail" else None
            stack.__exit__(type(error) if error else None, error, None)
        assert len(under_way) <= 3
        assert under_way or waiting <= called
