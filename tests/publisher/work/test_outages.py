"""Who may try a store that is away, and when."""

import pytest

from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.work.outages import Outages
from tests.support.clock import FakeClock

AWAY = Refused(Reason.NOT_REACHABLE, "nobody there", away=True)


class Place:
    """A store config `vault` whose calls fail as told, and how many were made."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.back: list[str] = []
        self.calls = 0
        self.outages = Outages(self.back.append, self.clock)

    def call(self, error: Refused | None = None, config: str = "vault") -> Refused | None:
        """What the caller is told; None: it worked."""
        try:
            with self.outages.passing(config):
                self.calls += 1
                if error:
                    raise error
        except Refused as told:
            return told
        return None


@pytest.fixture
def place() -> Place:
    return Place()


def test_while_a_store_is_away_nobody_tries_before_it_is_time(place: Place) -> None:
    first = place.call(AWAY)
    told = place.call()
    assert first
    assert told
    assert (told.reason, told.message, place.calls) == (Reason.NOT_REACHABLE, "nobody there", 1)
    assert first.retry_after
    place.clock.now += first.retry_after
    assert place.call() is None
    assert place.back == ["vault"]


def test_one_tries_at_a_time(place: Place) -> None:
    first = place.call(AWAY)
    assert first
    place.clock.now += first.retry_after or 0
    with place.outages.passing("vault"):
        assert place.call() is not None
    assert place.call() is None


def test_pauses_grow_up_to_a_bound(place: Place) -> None:
    pauses = []
    for _ in range(12):
        told = place.call(AWAY)
        assert told
        assert told.retry_after
        pauses.append(told.retry_after)
        place.clock.now += told.retry_after
    assert place.calls == 12
    assert pauses[0] <= 0.5
    assert 7.5 <= pauses[-1] <= 15


def test_of_thousands_a_few_come_soon_and_the_others_much_later(place: Place) -> None:
    place.call(AWAY)
    waits = [told.retry_after or 0 for told in (place.call() for _ in range(1000)) if told]
    assert len(waits) == 1000
    assert 1 <= sum(wait < 3 for wait in waits) < 20
    assert max(waits) <= 60


def test_a_refusal_of_one_secret_is_none_of_the_others_business(place: Place) -> None:
    told = place.call(Refused(Reason.NOT_OWNER, "theirs"))
    assert told
    assert place.call() is None
    assert place.back == []


def test_an_answer_of_whatever_kind_ends_it(place: Place) -> None:
    first = place.call(AWAY)
    assert first
    place.clock.now += first.retry_after or 0
    place.call(Refused(Reason.NOT_OWNER, "theirs"))
    assert place.back == ["vault"]
    assert place.call() is None


def test_other_store_configs_go_on(place: Place) -> None:
    place.call(AWAY)
    assert place.call(config="other") is None


def test_a_changed_store_config_is_tried_at_once(place: Place) -> None:
    place.call(AWAY)
    place.outages.forget("vault")
    assert place.call() is None
