"""No template leaves the Secret's namespace, whatever stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.wishes.names import remote_name

LABELS = {"team": "blue", "empty": ""}
GOOD = {
    "{name}": "ns/db",
    "{namespace}-{name}": "ns/ns-db",
    "{label:team}/{name}": "ns/blue/db",
    "fixed": "ns/fixed",
}
BAD = ["", "/", "../x", "{name}/../../x", "a//b", "{}", "{name", "name}", "{0}", "{name.x}", "{label:no}"]


@pytest.mark.parametrize(("template", "name"), GOOD.items(), ids=GOOD.keys())
def test_a_template_is_filled(template: str, name: str) -> None:
    assert remote_name(template, "ns", "db", LABELS) == name


@pytest.mark.parametrize("template", [*BAD, "{label:empty}", "x" * 2000, "a%2f..%2fb", "a\\b", "a\nb"])
def test_what_makes_no_name_is_refused(template: str) -> None:
    with pytest.raises(Refused, match="remote-name") as refused:
        remote_name(template, "ns", "db", LABELS)
    assert refused.value.reason is Reason.INVALID_ANNOTATION


PIECES = st.sampled_from(
    ["{name}", "{namespace}", "{label:team}", "{", "}", "/", "..", ".", "a", "team-b", "%2e"]
)


@given(st.one_of(st.lists(PIECES).map("".join), st.text()))
def test_nothing_climbs_out_of_the_namespace(template: str) -> None:
    try:
        name = remote_name(template, "team-a", "db", LABELS)
    except Refused:
        return
    first, *others = name.split("/")
    assert first == "team-a"
    assert others
    assert not {"", ".", ".."} & set(others)
