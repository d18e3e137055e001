"""The annotation: read back as it was written, and written only when it says something new."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.errors import StorePluginError, error_classes
from store_plugin.publisher.conditions import GOOD, TRANSIENT, Condition, Reason, Target
from store_plugin.publisher.reasons import MEANINGS, refused

TARGET = Target("vault", "ns/db")
CONDITIONS = st.builds(
    Condition,
    st.sampled_from(["Published", "Fetched"]),
    st.sampled_from(list(Reason)),
    st.text(max_size=50),
    st.sampled_from([None, TARGET]),
    st.just("2026-01-01T00:00:00Z"),
    st.sampled_from([None, Target("old", "ns/elsewhere")]),
)


@given(CONDITIONS)
def test_what_was_written_is_read(condition: Condition) -> None:
    assert Condition.read(condition.written()) == condition
    assert not condition.says_more_than(Condition.read(condition.written()))


@given(st.text())
def test_anything_else_is_none(text: str) -> None:
    found = Condition.read(text)
    assert found is None or found.reason in Reason


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "1", "null", '{"reason": "Odd"}', '{"reason": ['])
def test_what_somebody_else_wrote_is_none(text: str | None) -> None:
    assert Condition.read(text) is None


@pytest.mark.parametrize("name", ["", "ns/", "ns/../other/db", "/db", "a//b", "ns/" + "x" * 2000])
def test_a_place_that_is_none_was_never_ours(name: str) -> None:
    said = {
        "type": "Published",
        "status": "True",
        "reason": "Published",
        "storeConfig": "vault",
        "name": name,
    }
    found = Condition.read(json.dumps({**said, "leaving": {"storeConfig": "vault", "name": name}}))
    assert found is not None
    assert (found.target, found.leaving) == (None, None)


def test_nesting_deeper_than_can_be_read_is_none() -> None:
    assert Condition.read("[" * 100_000) is None


def test_a_long_message_is_cut_and_not_written_again() -> None:
    condition = Condition("Published", Reason.REFUSED, "x" * 5000)
    assert len(condition.written()) < 1000
    assert not condition.says_more_than(Condition.read(condition.written()))


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_another_message_about_what_goes_by_itself_is_no_news(reason: Reason) -> None:
    before = Condition("Published", reason, "after 4.9 s")
    assert not replace(before, message="after 5.1 s").says_more_than(before)


def test_the_time_is_that_of_the_last_turn() -> None:
    before = Condition("Published", Reason.NOT_OWNER, since="2026-01-01T00:00:00Z")
    assert Condition("Published", Reason.REFUSED).following(before).since == before.since
    assert Condition("Published", Reason.PUBLISHED).following(before).since > before.since


@pytest.mark.parametrize("cls", list(error_classes()), ids=lambda cls: cls.__name__)
def test_every_error_has_a_reason_and_advice(cls: type[StorePluginError]) -> None:
    error = cls.__new__(cls, "what happened")  # whatever its constructor takes
    vars(error).update(message="what happened", retry_after=None)
    found = refused(error)
    assert found.reason not in GOOD
    assert found.message.startswith("what happened; ")


def test_each_meaning_is_reached() -> None:
    """None stands behind one of a class that takes its errors."""
    for place, (cls, _, _) in enumerate(MEANINGS):
        assert not any(issubclass(cls, before) for before, _, _ in MEANINGS[:place]), cls
