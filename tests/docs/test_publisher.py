"""The page about the publisher is true, and complete."""

import re

import click
import pytest
import yaml

from store_plugin.cli.publisher import publisher
from store_plugin.publisher.conditions import Reason
from store_plugin.publisher.metrics import Metrics
from store_plugin.publisher.wishes import annotations
from store_plugin.publisher.wishes.wish import DeletionPolicy, UpdatePolicy
from tests.docs.pages import DOCS, ROOT, code, rows, section

PAGE = DOCS / "publisher.md"
GROUP = "secrets.crossplane.io/"
OPTIONS = [parameter for parameter in publisher.params if isinstance(parameter, click.Option)]


def first_cells(title: str) -> list[str]:
    return [row[0].strip("`") for row in rows(section(PAGE, title))]


def test_every_reason_is_told_with_what_to_do() -> None:
    told = {row[0].strip("`"): row[1:] for row in rows(section(PAGE, "Conditions"))}
    assert list(told) == list(Reason)
    assert all(all(cells) for cells in told.values())


def test_every_annotation_is_told_and_no_other() -> None:
    known = {word.removeprefix(GROUP) for word in (*annotations.WISHES, annotations.STATUS)}
    assert set(first_cells("What a Secret can say")) == known


@pytest.mark.parametrize("word", [*UpdatePolicy, *DeletionPolicy])
def test_every_policy_is_told(word: str) -> None:
    assert f"`{word}`" in section(PAGE, "What a Secret can say")


@pytest.mark.parametrize("word", [annotations.FINALIZER, annotations.ALLOWED_NAMESPACES])
def test_other_words_are_told(word: str) -> None:
    assert word.removeprefix(GROUP) in code(PAGE.read_text())


def test_the_options_are_those_of_the_command_with_their_defaults() -> None:
    table = rows(section(PAGE, "Options"))
    told = {spelling: row[1].strip("`") for row in table for spelling in re.findall(r"`(--[a-z-]+)", row[0])}
    assert told == {option.opts[0]: _written(option.default) for option in OPTIONS}


def _written(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, int | float):
        return f"{default:g}"
    return default if isinstance(default, str) else "none"


def test_every_option_has_its_variable() -> None:
    for option in OPTIONS:
        name = option.opts[0].removeprefix("--").replace("-", "_").upper()
        assert option.envvar == f"STORE_PLUGIN_PUBLISHER_{name}"
    assert "`STORE_PLUGIN_PUBLISHER_ADMIN_LISTEN`" in section(PAGE, "Options")


def test_the_metrics_are_those_exported() -> None:
    metrics = Metrics()
    metrics.watch(
        secrets=lambda: [("Published", "Kept")], waiting=lambda: 0, working=lambda: 0, behind=lambda: 0.0
    )
    with metrics.call("publish"):
        metrics.changed()
    metrics.written("status")
    exported = {
        family.name + ("_total" if family.type == "counter" else ""): {
            label for sample in family.samples for label in sample.labels
        }
        - {"le"}
        for family in metrics.registry.collect()
    }
    table = rows(section(PAGE, "Probes and metrics"))
    assert {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in table} == exported


def test_the_account_in_the_role_is_the_one_that_is_told_to_be_filled_in() -> None:
    documents = list(yaml.safe_load_all((ROOT / "deploy" / "publisher" / "rbac.yaml").read_text()))
    assert [one["kind"] for one in documents] == ["ClusterRole", "ClusterRoleBinding"]
    assert documents[1]["roleRef"]["name"] == documents[0]["metadata"]["name"]
