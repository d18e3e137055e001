"""A profile's author fills in the places of a name, and never gets out of its scope."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.access.exec_credential import (
    API_VERSIONS,
    PROFILE_NAME,
    PROFILE_NAMESPACE,
    ExecCluster,
    ExecInfo,
)
from store_plugin.access.stored.template import NameTemplate, Request, Template
from store_plugin.errors import InvalidRequest


def asked(config: object = None, **environ: str) -> Request:
    return Request(ExecInfo(API_VERSIONS[0], cluster=ExecCluster("https://a", config=config)), environ)


@pytest.mark.parametrize(
    ("template", "config", "name"),
    [
        ("fleet/one", None, "fleet/one"),
        ("fleet/{cluster}", {"cluster": "spoke-1"}, "fleet/spoke-1"),
        ("fleet/{region}/{cluster}", {"region": "eu", "cluster": "a.b_c"}, "fleet/eu/a.b_c"),
        ("fleet/app-{cluster}-{cluster}", {"cluster": "x", "more": 1}, "fleet/app-x-x"),
    ],
)
def test_the_extension_fills_the_places(template: str, config: object, name: str) -> None:
    assert str(NameTemplate.parse(template).filled(asked(config))) == name


@pytest.mark.parametrize(
    "text",
    [
        "{scope}/db",
        "{profile.name}/db",
        "{profile.namespace}{x}/db",
        "a{scope}/db",
        "{x}",
        "/{x}",
        "a/../{x}",
        "a//{x}",
        "a/{}",
        "a/{x",
    ],
)
def test_a_template_that_leaves_the_scope_open_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        NameTemplate.parse(text)


VALUES = [
    "../other",
    "other/db",
    "..",
    ".",
    "",
    "a b",
    "a\n",
    "%2e",
    "\\",
    "x" * 300,
    1,
    None,
    ["a"],
    {"a": 1},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_that_is_no_part_of_a_name_is_refused_and_not_shown(value: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        NameTemplate.parse("fleet/{cluster}").filled(asked({"cluster": value}))
    assert "cluster" in caught.value.message
    assert "other" not in caught.value.message.replace("another", "")


@given(st.text(max_size=300))
def test_no_value_leaves_the_scope(value: str) -> None:
    try:
        name = NameTemplate.parse("fleet/{cluster}/key").filled(asked({"cluster": value}))
    except InvalidRequest:
        return
    assert name.segments == ("fleet", value, "key")


@pytest.mark.parametrize("config", [None, [], "cluster", {}, {"Cluster": "a"}], ids=repr)
def test_a_missing_value_says_where_it_belongs(config: object) -> None:
    with pytest.raises(InvalidRequest, match=r"client\.authentication\.k8s\.io/exec"):
        NameTemplate.parse("fleet/{cluster}").filled(asked(config))


def test_a_plugin_that_is_not_told_of_the_cluster_says_how_it_would_be() -> None:
    with pytest.raises(InvalidRequest, match="provideClusterInfo: true"):
        NameTemplate.parse("fleet/{cluster}").filled(Request(ExecInfo(API_VERSIONS[0]), {}))


def test_other_text_may_hold_what_a_name_may_not() -> None:
    context = "arn:aws:eks:eu:1:cluster/a"
    assert Template("{context}").filled(asked({"context": context})) == context
    with pytest.raises(InvalidRequest):
        Template("{context}").filled(asked({"context": "two words"}))


def test_the_profiles_object_says_its_namespace_and_not_its_author() -> None:
    template = NameTemplate.parse("{profile.namespace}/{profile.name}")
    environ = {PROFILE_NAMESPACE: "team-a", PROFILE_NAME: "member.1"}
    lies = {"profile.namespace": "team-b", "profile.name": "admin"}
    assert str(template.filled(asked(lies, **environ))) == "team-a/member.1"
    assert template.chosen
    with pytest.raises(InvalidRequest, match=PROFILE_NAMESPACE):
        template.filled(asked(lies))
