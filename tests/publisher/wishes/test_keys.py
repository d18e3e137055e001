"""Which keys travel, under which names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.wishes.keys import KeyMapping

DATA = {"user": b"u", "password": b"p", "ca.crt": b"c"}
CASES: dict[str, set[str]] = {
    "*": {"user", "password", "ca.crt"},
    "user": {"user"},
    "user=login": {"login"},
    "*, user=login": {"login", "password", "ca.crt"},
    "!ca.crt": {"user", "password"},
    "*,!ca.crt,!user": {"password"},
    " user = login , password ": {"login", "password"},
    "user=password, password=user": {"user", "password"},
}
MISTAKES = {
    "": Reason.INVALID_ANNOTATION,
    ",": Reason.INVALID_ANNOTATION,
    "user=": Reason.INVALID_ANNOTATION,
    "=user": Reason.INVALID_ANNOTATION,
    "user=a=b": Reason.INVALID_ANNOTATION,
    "user, user=x": Reason.INVALID_ANNOTATION,
    "user, !user": Reason.INVALID_ANNOTATION,
    "user=x, password=x": Reason.INVALID_ANNOTATION,
    "*, user=password": Reason.INVALID_ANNOTATION,
    "../x": Reason.INVALID_ANNOTATION,
    "port": Reason.KEY_MISSING,
}


@pytest.mark.parametrize(("text", "keys"), CASES.items(), ids=CASES.keys())
def test_keys_are_chosen(text: str, keys: set[str]) -> None:
    assert KeyMapping.parse(text).select(DATA).keys() == keys


def test_names_are_swapped_with_their_values() -> None:
    mapping = KeyMapping.parse("user=password, password=user")
    assert mapping.select(DATA) == {"password": b"u", "user": b"p"}


@pytest.mark.parametrize(("text", "reason"), MISTAKES.items(), ids=[text or "empty" for text in MISTAKES])
def test_a_mistake_is_refused(text: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        KeyMapping.parse(text).select(DATA)
    assert refused.value.reason is reason


@given(st.text(), st.dictionaries(st.sampled_from(["a", "b", "c"]), st.binary(max_size=2)))
def test_a_value_travels_once_or_not_at_all(text: str, data: dict[str, bytes]) -> None:
    try:
        chosen = KeyMapping.parse(text).select(data)
    except Refused:
        return
    assert len(chosen) <= len(data)
    assert set(chosen.values()) <= set(data.values())
