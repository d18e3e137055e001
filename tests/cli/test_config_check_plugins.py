"""`store-plugin config check` of configs whose kinds plugins bring."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store_plugin.cli._app import cli
from tests.hub.shelf import API_VERSION, KIND, ShelfFactory, shelf_plugin

SPEC = "{access: [{scopes: ['*']}], shelf: top}"


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    return tmp_path / "configs"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "shelves.json"
    file.write_text(json.dumps(shelf_plugin(ShelfFactory()).describe()))
    return file


def write(configs: Path, spec: str, kind: str = KIND) -> Path:
    head = f"apiVersion: {API_VERSION}\nkind: {kind}\nmetadata: {{name: x}}\n"
    file = configs / "x.yaml"
    file.write_text(f"{head}spec: {spec}\n")
    return file


def check(configs: Path, *options: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, ["config", "check", str(configs), *options], env=env)


def test_what_the_plugin_says_of_itself_is_what_counts(configs: Path, recorded: Path) -> None:
    write(configs, SPEC)
    result = check(configs, "--plugin", str(recorded))
    assert (result.exit_code, result.output) == (0, "1 config, 0 errors, 0 warnings\n")
    file = write(configs, SPEC.replace("shelf", "shelff"))
    result = check(configs, "--plugin", str(recorded))
    assert result.exit_code == 1
    assert f"error   {file}:4: " in result.output


def test_with_connect_it_is_said_that_the_store_was_not_asked(configs: Path, recorded: Path) -> None:
    write(configs, SPEC)
    result = check(configs, "--plugin", str(recorded), "--connect")
    assert result.exit_code == 0
    assert f"warning {KIND}/x: not asked" in result.output


@pytest.mark.parametrize(
    ("options", "env"),
    [
        (("--hub-plugin-groups", "*.example.org"), {}),
        ((), {"STORE_PLUGIN_HUB_PLUGIN_GROUPS": "other.org *.example.org"}),
    ],
    ids=["option", "variable"],
)
def test_a_kind_that_a_plugin_may_bring_is_a_warning(
    configs: Path, options: Sequence[str], env: dict[str, str]
) -> None:
    file = write(configs, SPEC)
    result = check(configs, *options, env=env)
    assert result.exit_code == 0
    assert f"warning {file}:2: kind: of a plugin that is not known here" in result.output
    assert result.output.endswith("1 config, 0 errors, 1 warning\n")


def test_a_kind_of_any_other_group_is_an_error_that_says_how_plugins_bring_theirs(configs: Path) -> None:
    write(configs, SPEC)
    result = check(configs, "--hub-plugin-groups", "other.org")
    assert result.exit_code == 1
    assert "its API group goes into --hub-plugin-groups" in result.output


def test_another_mistake_in_such_a_manifest_stays_an_error(configs: Path) -> None:
    write(configs, SPEC + "\nsepc: {}")
    result = check(configs, "--hub-plugin-groups", "*.example.org")
    assert result.exit_code == 1
    assert "1 error, 1 warning" in result.output


WRONG_RECORDS = {
    "nothing": ("", "is not what a plugin says of itself"),
    "a list": ("[]", "is not what a plugin says of itself"),
    "no schema": ('{"name": "x", "kinds": [{"apiVersion": "a.b/v1", "kind": "X"}]}', "record it with"),
    "no OpenAPI": (
        '{"name": "x", "kinds": [{"apiVersion": "a.b/v1", "kind": "X", "schema": 5}]}',
        "is not an OpenAPI schema",
    ),
    "a built-in kind": (
        json.dumps(
            {
                "name": "thief",
                "kinds": [
                    {
                        "apiVersion": "secrets.crossplane.io/v1alpha1",
                        "kind": "VaultConfig",
                        "schema": {"type": "object"},
                    }
                ],
            }
        ),
        "plugin thief: the kind VaultConfig",
    ),
}


@pytest.mark.parametrize(("text", "told"), WRONG_RECORDS.values(), ids=WRONG_RECORDS)
def test_a_record_that_is_none_is_refused(configs: Path, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "wrong.json").write_text(text)
    result = check(configs, "--plugin", str(tmp_path / "wrong.json"))
    assert result.exit_code == 1
    assert told in result.output


def test_a_sidecar_that_the_environment_names_may_be_away_one_on_the_command_line_not(
    configs: Path, tmp_path: Path
) -> None:
    nobody = str(tmp_path / "nobody.sock")
    assert check(configs, env={"STORE_PLUGIN_CONTROL_SOCKET": nobody}).exit_code == 0
    result = check(configs, "--control-socket", nobody)
    assert (result.exit_code, "there is no control socket" in result.output) == (3, True)
