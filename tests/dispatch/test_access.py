"""Who may use which scope."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.dispatch.access import check_access
from store_plugin.errors import Code, ScopeNotAllowed
from store_plugin.model import ConfigReference, ScopedName
from store_plugin.spec import StoreSpec

CONFIG = ConfigReference("secrets.crossplane.io/v1alpha1", "VaultConfig", "prod")
SPIFFE = "spiffe://cluster.local/ns/team-a/sa/operator"


def allowed(access: list[dict[str, list[str]]], name: str, *callers: str) -> bool:
    spec = StoreSpec.model_validate({"access": access})
    try:
        check_access(spec, CONFIG, callers, ScopedName.parse(name))
    except ScopeNotAllowed:
        return False
    return True


def scopes(*patterns: str) -> list[dict[str, list[str]]]:
    return [{"scopes": list(patterns)}]


def callers(*patterns: str) -> list[dict[str, list[str]]]:
    return [{"callers": list(patterns)}]


@pytest.mark.parametrize(
    ("access", "name", "caller", "expected"),
    [
        pytest.param([], "team-a/db", "anyone", True, id="no rules"),
        pytest.param([{}], "team-a/db", "anyone", True, id="an open rule"),
        pytest.param(scopes("team-a"), "team-a/db", "local", True, id="exact scope"),
        pytest.param(scopes("team-a"), "team-ab/db", "local", False, id="scope is matched whole at the end"),
        pytest.param(
            scopes("team-a"), "x-team-a/db", "local", False, id="scope is matched whole at the start"
        ),
        pytest.param(scopes("team-*"), "team-a/db", "local", True, id="star"),
        pytest.param(scopes("team*"), "team/db", "local", True, id="star stands for nothing too"),
        pytest.param(scopes("team-*"), "team-a/sub/db", "local", False, id="star never crosses a slash"),
        pytest.param(scopes("team-*/*"), "team-a/sub/db", "local", True, id="star on both sides of a slash"),
        pytest.param(scopes("team-*/*"), "team-a/db", "local", False, id="the slash must be there"),
        pytest.param(scopes("*"), "db", "local", True, id="star stands for no scope"),
        pytest.param(scopes("team"), "db", "local", False, id="no scope is a scope of its own"),
        pytest.param(scopes("team.a"), "teamXa/db", "local", False, id="a dot is a dot"),
        pytest.param(scopes("a+"), "aa/db", "local", False, id="a plus is a plus"),
        pytest.param(scopes("[ab]"), "a/db", "local", False, id="brackets are brackets"),
        pytest.param(scopes("a|b"), "a/db", "local", False, id="a bar is a bar"),
        pytest.param(scopes("te?m"), "team/db", "local", False, id="a question mark is no wildcard"),
        pytest.param(scopes("Team"), "team/db", "local", False, id="case counts"),
        pytest.param(scopes("a", "b"), "b/db", "local", True, id="any of the scopes"),
        pytest.param(callers("local"), "a/db", "local", True, id="local"),
        pytest.param(callers("local"), "a/db", "localhost", False, id="caller is matched whole"),
        pytest.param(callers(SPIFFE), "a/db", SPIFFE, True, id="spiffe"),
        pytest.param(
            callers("spiffe://cluster.local/ns/*/sa/operator"), "a/db", SPIFFE, True, id="spiffe star"
        ),
        pytest.param(callers("spiffe://cluster.local/*"), "a/db", SPIFFE, False, id="spiffe star and slash"),
        pytest.param(callers("*.team-a"), "a/db", "op.team-a", True, id="name in DNS"),
        pytest.param(callers("*.team-a"), "a/db", "*.team-a", True, id="wildcard certificate"),
    ],
)
def test_access_table(access: list[dict[str, list[str]]], name: str, caller: str, expected: bool) -> None:
    assert allowed(access, name, caller) is expected


def test_caller_and_scope_must_be_allowed_by_the_same_rule() -> None:
    access = [{"callers": ["a"], "scopes": ["one"]}, {"callers": ["b"], "scopes": ["two"]}]
    found = {(who, scope): allowed(access, f"{scope}/x", who) for who in "ab" for scope in ("one", "two")}
    assert found == {("a", "one"): True, ("a", "two"): False, ("b", "one"): False, ("b", "two"): True}


def test_one_name_of_a_caller_is_enough_and_no_name_is_none() -> None:
    assert allowed(callers("b"), "x/y", "a", "b")
    assert not allowed(callers("*"), "x/y")
    assert allowed(scopes("x"), "x/y")


def test_the_refusal_names_config_scope_and_caller() -> None:
    spec = StoreSpec.model_validate({"access": scopes("team-b")})
    with pytest.raises(ScopeNotAllowed) as caught:
        check_access(spec, CONFIG, ["local"], ScopedName.parse("team-a/db"))
    message = (
        "VaultConfig/prod does not allow scope team-a for caller 'local'; "
        "its spec.access tells what it allows"
    )
    assert (caught.value.message, caught.value.code) == (message, Code.PERMISSION_DENIED)


def test_the_refusal_is_one_short_line_whatever_a_certificate_says() -> None:
    spec = StoreSpec.model_validate({"access": callers("nobody")})
    names = [f"evil\n{number}" for number in range(50)]
    with pytest.raises(ScopeNotAllowed) as caught:
        check_access(spec, CONFIG, names, ScopedName.parse("db"))
    assert "\n" not in caught.value.message
    assert "and 47 more" in caught.value.message


@given(st.text("ab*.-", min_size=1, max_size=8), st.text("ab.-", max_size=8))
def test_within_one_segment_a_pattern_is_a_shell_pattern_of_stars(pattern: str, caller: str) -> None:
    assert allowed(callers(pattern), "x/y", caller) is fnmatchcase(caller, pattern)


@given(st.text("ab/*", min_size=1, max_size=10), st.text("ab/", max_size=10))
def test_a_match_has_as_many_slashes_as_its_pattern(pattern: str, caller: str) -> None:
    if allowed(callers(pattern), "x/y", caller):
        assert caller.count("/") == pattern.count("/")
