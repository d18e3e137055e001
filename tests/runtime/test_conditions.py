"""Conditions change when they say something new, and only then."""

from datetime import UTC, datetime, timedelta

import pytest

from store_plugin.errors import NotOwner
from store_plugin.runtime.conditions import (
    Condition,
    available,
    deleting,
    failed,
    reconciled,
    unavailable,
    with_conditions,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def test_the_first_conditions_are_all_new() -> None:
    assert with_conditions(None, available(), reconciled(), generation=3, now=NOW) == [
        {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": "",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
            "observedGeneration": 3,
        }
        for kind, reason in (("Ready", "Available"), ("Synced", "ReconcileSuccess"))
    ]


def test_the_same_again_is_no_news() -> None:
    first = with_conditions((), available(), reconciled(), generation=3, now=NOW)
    assert with_conditions(first, available(), reconciled(), generation=3, now=LATER) is None
    assert with_conditions(first, reconciled(), generation=3, now=LATER) is None


@pytest.mark.parametrize(
    ("news", "since"),
    [
        pytest.param(reconciled(), "2026-01-02T03:04:05Z", id="another generation"),
        pytest.param(Condition("Synced", True, "Else"), "2026-01-02T03:04:05Z", id="another reason"),
        pytest.param(failed(NotOwner("no")), "2026-01-02T04:04:05Z", id="another status"),
        pytest.param(Condition("Synced", None, "Else"), "2026-01-02T04:04:05Z", id="unknown"),
    ],
)
def test_the_time_is_that_of_the_last_change_of_status(news: Condition, since: str) -> None:
    first = with_conditions(None, available(), reconciled(), generation=3, now=NOW)
    second = with_conditions(first, news, generation=4, now=LATER)
    assert second is not None
    assert [one["type"] for one in second] == ["Ready", "Synced"]
    assert second[1]["lastTransitionTime"] == since


def test_conditions_of_others_stay() -> None:
    theirs = {"type": "Theirs", "status": "True", "extra": "field"}
    found = with_conditions([theirs], unavailable("no address yet"), now=NOW)
    assert found is not None
    assert found[0] == theirs
    assert found[1]["message"] == "no address yet"


def test_a_failure_says_what_failed() -> None:
    entry = (with_conditions(None, failed(NotOwner("cannot write: theirs")), now=NOW) or [])[0]
    assert (entry["type"], entry["status"], entry["message"]) == ("Synced", "False", "cannot write: theirs")
    long = (with_conditions(None, failed(NotOwner("x" * 5000)), now=NOW) or [])[0]
    assert len(long["message"]) <= 1024


def test_an_object_that_goes_is_not_ready() -> None:
    assert (deleting().type, deleting().status) == ("Ready", False)
