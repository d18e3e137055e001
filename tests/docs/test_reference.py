"""What the documents list is what there is."""

import re
import tomllib
import typing
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import click
import pytest
from pydantic import BaseModel

from store_plugin.cli.serve import SECTIONS, serve
from store_plugin.config.source import SourceState
from store_plugin.dispatch.state import Counts
from store_plugin.errors import Code, error_classes
from store_plugin.lifecycle.supervision.states import PluginStatus, State
from store_plugin.sidecar.metrics import Metrics
from store_plugin.spec import AccessRule, CredentialReference, Manifest, StoreSpec
from stores.kubernetes.spec import KubernetesSpec
from stores.local.spec import LocalSpec
from stores.vault.spec import VaultSpec
from tests.docs.pages import DOCS, ROOT, code, rows, section
from tools.build import TOOLS
from tools.containers import PROGRAMS

OPERATIONS = DOCS / "operations.md"
CONFIGS = DOCS / "configs.md"
VAULT = DOCS / "stores" / "vault.md"
KUBERNETES = DOCS / "stores" / "kubernetes.md"
WIRE = DOCS / "wire.md"
DEPENDENCIES = DOCS / "dependencies.md"


# Options of `serve`.

OPTIONS = [parameter for parameter in serve.params if isinstance(parameter, click.Option)]


def spellings(option: click.Option) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def documented_options() -> dict[str, str]:
    """Default by spelling."""
    table = rows(section(OPERATIONS, "Options"))
    return {spelling: row[1] for row in table for spelling in re.findall(r"`(--[a-z-]+)", row[0])}


def default_as_written(option: click.Option) -> str:
    match option.default:
        case _ if option.required:
            return "required"
        case False:
            return "off"
        case (single,):
            return f"`{single}`"
        case int() | float() as number:
            return f"{number:g}"
        case str() as text:
            return f"`{text}`"
        case _:
            return "none"


@pytest.mark.parametrize("option", OPTIONS, ids=[option.opts[0] for option in OPTIONS])
def test_an_option_is_documented_with_its_default_and_variable(option: click.Option) -> None:
    documented = documented_options()
    for spelling in spellings(option):
        assert documented[spelling] == default_as_written(option)
    assert option.envvar == "STORE_PLUGIN_" + option.opts[0].removeprefix("--").replace("-", "_").upper()


def test_the_rule_for_variables_is_documented_and_no_option_is_made_up() -> None:
    text = " ".join(section(OPERATIONS, "Options").split())
    assert "`STORE_PLUGIN_` and the option's name, such as `STORE_PLUGIN_CONFIG_DIR`" in text
    assert documented_options().keys() == {spelling for option in OPTIONS for spelling in spellings(option)}


def test_what_an_option_takes_is_called_the_same_in_help() -> None:
    table = rows(section(OPERATIONS, "Options"))
    documented = dict(pair for row in table for pair in re.findall(r"`(--[a-z-]+) ([^`]+)`", row[0]))
    in_help = {option.opts[0]: option.metavar for option in OPTIONS if option.metavar is not None}
    assert documented == in_help


def test_the_options_stand_in_the_sections_of_the_help() -> None:
    parts = section(OPERATIONS, "Options").split("\n### ")[1:]
    told = {
        title: re.findall(r"`(--[a-z-]+)", "\n".join(row[0] for row in rows(table)))
        for title, _, table in (part.partition("\n") for part in parts)
    }
    others = {name for option in OPTIONS for name in (*option.opts[1:], *option.secondary_opts)}
    assert {title: [one for one in found if one not in others] for title, found in told.items()} == {
        title: list(names) for title, names in SECTIONS.items()
    }


# Metrics.


def exported_metrics() -> dict[str, set[str]]:
    """Labels by name, as a sidecar exports them that has seen a call."""
    metrics = Metrics()
    counts = Counts(
        Counter({("LocalConfig", "Ready"): 1}),
        Counter({"LocalConfig": 1}),
        Counter({("LocalConfig", "Closed"): 1}),
    )
    metrics.watch(
        in_flight=lambda: 0, configs=lambda: counts, problems=lambda: 0, source=lambda: SourceState(())
    )
    metrics.watch_plugins(connected=lambda: 0, in_flight=lambda: 0, dropped=lambda: 0)
    begun = datetime(2026, 1, 2, tzinfo=UTC)
    metrics.watch_managed(lambda: [PluginStatus("echo", "1.0", "d" * 64, State.READY, begun, 1)])
    metrics.plugin_event("connected")
    metrics.request("GetSecret", "LocalConfig", Code.OK, 0.1)
    metrics.store_call("LocalConfig", "read", Code.OK, 0.1)
    metrics.store_call_refused("LocalConfig", "OVERLOADED")
    metrics.store_call_repeated("LocalConfig", "read")
    found: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    return found


def test_the_metrics_documented_are_those_exported() -> None:
    table = rows(section(OPERATIONS, "Metrics"))
    documented = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in table
        if row[0].startswith("`store_plugin_")
    }
    assert documented == exported_metrics()


def test_alerts_ask_for_metrics_that_exist() -> None:
    asked = re.findall(r"store_plugin_\w+", section(OPERATIONS, "Metrics"))
    assert set(asked) <= exported_metrics().keys()


# Fields of store configs.

PLACES: dict[type[Manifest], str] = {
    StoreSpec: section(CONFIGS, "Common fields"),
    CredentialReference: section(CONFIGS, "Credential references"),
    LocalSpec: section(CONFIGS, "LocalConfig"),
    KubernetesSpec: section(KUBERNETES, "Fields"),
    VaultSpec: section(VAULT, "Fields") + section(VAULT, "Login"),
}
"""What the documents say about the fields of a model."""


def models_in(annotation: object) -> Iterator[type[Manifest]]:
    """The models that a field's type speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, Manifest):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def fields(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """The path of every field of a model, and of what is inside."""
    for name, field in model.model_fields.items():
        if model is not StoreSpec and name in StoreSpec.model_fields:
            continue
        here = f"{path}{field.alias or name}"
        yield here
        for inner in models_in(field.annotation):
            if inner is not CredentialReference:
                yield from fields(inner, f"{here}.")


FIELDS = [(model, path) for model in PLACES for path in fields(model)]


@pytest.mark.parametrize(("model", "path"), FIELDS, ids=[path for _, path in FIELDS])
def test_a_field_is_documented_in_the_section_of_its_kind(model: type[Manifest], path: str) -> None:
    assert re.search(rf"\b{path.rpartition('.')[2]}\b", code(PLACES[model]))


def test_the_fields_are_found_at_every_depth() -> None:
    paths = {path for _, path in FIELDS}
    assert {"access.callers", "ownership.requireOnDelete", "secretRef.key", "auth.appRole.roleId"} <= paths
    assert "callers" in {field.alias for field in AccessRule.model_fields.values()}


@pytest.mark.parametrize("model", [StoreSpec, LocalSpec, VaultSpec])
def test_a_field_documented_as_required_is_and_no_other(model: type[Manifest]) -> None:
    # The kind's first table; a second one of a VaultConfig is that of its logins.
    first = PLACES[model].partition("| `auth.method`")[0]
    table = {row[0].strip("`"): row[1] for row in rows(first)}
    own = {
        field.alias or name: field
        for name, field in model.model_fields.items()
        if model is StoreSpec or name not in StoreSpec.model_fields
    }
    assert {path.partition(".")[0] for path in table} == own.keys()
    required = {path for path, default in table.items() if default == "required"}
    assert required == {alias for alias, field in own.items() if field.is_required()}


# Errors.

REASONS = sorted({cls.reason for cls in error_classes() if cls.reason})


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_documented(reason: str) -> None:
    assert f"`{reason}`" in section(WIRE, "Errors")


# Dependencies.


def plain(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name
    return name[0].lower().replace("_", "-")


def names(requirements: Iterable[object]) -> set[str]:
    return {plain(text) for text in requirements if isinstance(text, str)} - {"store-plugin"}


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    return set().union(*map(names, lists))


BUILT = "Servers for tests: built with Go, never installed for users"
PACKAGED = "Programs for tests of containers: Debian's packages"


def test_the_dependencies_documented_are_those_declared() -> None:
    installed = DEPENDENCIES.read_text()
    for others in (BUILT, PACKAGED):
        installed = installed.replace(section(DEPENDENCIES, others), "")
    documented = {plain(name) for row in rows(installed) for name in row[0].split(", ")}
    assert documented == declared()


def test_the_packages_documented_are_those_installed_for_containers() -> None:
    documented = {name for row in rows(section(DEPENDENCIES, PACKAGED)) for name in row[0].split(", ")}
    assert documented == set(PROGRAMS)


def test_the_tools_documented_are_those_built() -> None:
    documented = {row[0]: row[1] for row in rows(section(DEPENDENCIES, BUILT))}
    assert documented == {tool.name: tool.version.removeprefix("v") for tool in TOOLS.values()}


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert declared() <= {plain(line) for line in lines if "==" in line}


def test_the_architecture_tells_of_each_module_beside_the_packages() -> None:
    table = section(DOCS / "architecture.md", "Where things are")
    modules = {path.name for path in (ROOT / "store_plugin").glob("*.py")} - {"__init__.py"}
    told = {
        span.removeprefix("store_plugin/") for row in rows(table) for span in re.findall(r"`([^`]+)`", row[0])
    }
    assert {span for span in told if span.endswith(".py")} == modules


def test_the_architecture_tells_of_each_package() -> None:
    table = section(DOCS / "architecture.md", "Where things are")
    for package in sorted((ROOT / "store_plugin").glob("*/__init__.py")):
        assert f"`store_plugin/{package.parent.name}/`" in table, package.parent.name
    for package in sorted((ROOT / "stores").glob("*/__init__.py")):
        assert f"`stores/{package.parent.name}/`" in table, package.parent.name
