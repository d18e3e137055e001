"""Who has which name, and that no two Secrets are ever brought to one place."""

import pytest

from store_plugin.publisher.conditions import Place
from store_plugin.publisher.queue import Key
from store_plugin.publisher.records import Records

A, B = Key("ns", "a"), Key("ns", "b")
PLACE, OTHER = Place("vault", "ns/db"), Place("vault", "ns/other")


def test_a_place_is_taken_while_a_secret_is_brought_there() -> None:
    records = Records()
    with records.reserved(A, PLACE):
        assert records.holder(PLACE) == A
        records.hold(A, PLACE)
    assert records.holder(PLACE) == A


def test_a_place_that_was_not_reached_is_free() -> None:
    records = Records()
    records.hold(A, OTHER)
    with pytest.raises(TimeoutError), records.reserved(A, PLACE):
        raise TimeoutError
    assert records.holder(PLACE) is None
    assert records.holder(OTHER) == A


def test_a_place_that_it_had_stays_its_own_when_a_change_fails() -> None:
    records = Records()
    records.hold(A, PLACE)
    with pytest.raises(TimeoutError), records.reserved(A, PLACE):
        raise TimeoutError
    assert records.holder(PLACE) == A


def test_who_does_not_have_a_place_frees_it_for_nobody() -> None:
    records = Records()
    records.hold(A, PLACE)
    with pytest.raises(TimeoutError), records.reserved(B, PLACE):
        raise TimeoutError
    assert records.holder(PLACE) == A


def test_a_place_is_of_another_once_it_is_published_there() -> None:
    records = Records()
    with records.reserved(B, PLACE):
        assert not records.is_of_another(A, PLACE)
        records.hold(B, PLACE)
    assert [records.is_of_another(key, PLACE) for key in (A, B)] == [True, False]


def test_a_free_place_is_told_of_once_and_only_where_somebody_waits() -> None:
    records = Records()
    records.hold(A, PLACE)
    records.want(PLACE)
    assert not records.is_wanted(PLACE)
    records.release(A)
    assert [records.is_wanted(place) for place in (OTHER, PLACE, PLACE)] == [False, True, False]


def test_a_place_that_all_are_told_of_is_remembered_no_longer() -> None:
    records = Records()
    records.want(PLACE)
    records.no_longer_wanted(PLACE)
    assert not records.is_wanted(PLACE)
