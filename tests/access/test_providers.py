"""The access config: what it may say, and how a mistake in it is told."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin.access.providers import read_providers
from store_plugin.errors import ConfigInvalid
from tests.support.exec_plugins import access_file, provider

CANARY = "canary-71ab"
FULL: dict[str, Any] = {
    "providers": [
        {
            "name": "gke",
            "execConfig": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "gke-gcloud-auth-plugin",
                "args": ["--audience", "x"],
                "env": [{"name": "CLIENT_ID", "value": "a"}, {"name": "EMPTY"}],
                "installHint": "install it",
                "provideClusterInfo": True,
                "interactiveMode": "IfAvailable",
            },
            "profileSourcedCLIArgsPolicy": "Append",
            "profileSourcedEnvVarsPolicy": "Replace",
            "inheritEnv": ["AWS_ROLE_ARN"],
        },
        {
            "name": "as-go-writes-it",
            "execConfig": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": "/bin/plugin",
                "args": None,
                "env": None,
                "installHint": "",
                "provideClusterInfo": False,
            },
            "profileSourcedCLIArgsPolicy": "",
        },
    ]
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps(FULL)),
        ("a.json", json.dumps(FULL, indent="\t")),
        ("a.yaml", yaml.safe_dump(FULL)),
        ("without-suffix", json.dumps(FULL, indent=2)),
    ],
    ids=["json", "json-tabs", "yaml", "by-content"],
)
def test_every_field_is_read_from_json_and_yaml(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    gke, other = read_providers(tmp_path / name)
    assert gke.exec_config.args == ("--audience", "x")
    assert [(one.name, one.value) for one in gke.exec_config.env] == [("CLIENT_ID", "a"), ("EMPTY", "")]
    assert gke.exec_config.interactive_mode == "IfAvailable"
    assert (gke.arguments_policy, gke.variables_policy) == ("Append", "Replace")
    assert gke.inherit_env == ("AWS_ROLE_ARN",)
    assert (other.arguments_policy, other.variables_policy) == ("Ignore", "Ignore")
    assert other.exec_config.args == ()


@pytest.mark.parametrize("text", ["{}", '{"providers": null}', '{"providers": []}', "", "providers:\n"])
def test_no_provider_is_a_config_too(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert read_providers(tmp_path / "a.json") == ()


def changed(**fields: Any) -> dict[str, Any]:
    return {**provider("/bin/plugin", "one"), **fields}


def exec_changed(**fields: Any) -> dict[str, Any]:
    return provider("/bin/plugin", "one", **fields)


@pytest.mark.parametrize(
    ("providers", "line", "problem"),
    [
        ([changed(execConfig=None)], 5, r"providers\[0\].execConfig: must be a block"),
        ([{"name": "one"}], 3, r"providers\[0\].execConfig: is required"),
        ([changed(name="")], 4, r"providers\[0\].name: must not be shorter"),
        ([changed(name=None)], 4, r"providers\[0\].name: must be text"),
        ([changed(profileSourcedCLIArgsPolicy=CANARY)], 10, r"CLIArgsPolicy: must be 'Append' or 'Ignore'"),
        ([changed(profileSourcedEnvVarsPolicy="Append")], 10, r"EnvVarsPolicy: must be 'AppendIfNotExists'"),
        (
            [changed(execconfig={})],
            10,
            r"providers\[0\].execconfig: there is no such field; did you mean execConfig",
        ),
        (
            [exec_changed(comand=CANARY)],
            9,
            r"\[0\].execConfig.comand: there is no such field; did you mean command",
        ),
        (
            [exec_changed(**{CANARY: 1})],
            9,
            r"\[0\].execConfig: there is no such field as on this line; it takes",
        ),
        ([exec_changed(apiVersion=f"{CANARY}/v1alpha1")], 6, r"execConfig.apiVersion: must be 'client"),
        ([exec_changed(command="")], 7, r"execConfig.command: must not be shorter"),
        ([exec_changed(args=CANARY)], 9, r"execConfig.args: must be a list"),
        ([exec_changed(args=[1])], 10, r"execConfig.args\[0\]: must be text"),
        ([exec_changed(args=["a", f"{CANARY}\0"])], 11, r"execConfig.args\[1\]: "),
        ([exec_changed(env=[{"value": CANARY}])], 10, r"execConfig.env\[0\].name: is required"),
        ([exec_changed(interactiveMode="Sometimes")], 8, r"interactiveMode: must be 'Never'"),
        ([changed(), changed()], 12, r"providers\[1\].name: is the name of providers\[0\] too"),
        ("text", 2, r"providers: must be a list"),
    ],
)
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_mistake_is_told_with_file_line_and_field(
    tmp_path: Path, providers: object, line: int, problem: str, suffix: str
) -> None:
    file = tmp_path / f"access.{suffix}"
    file.write_text(json.dumps({"providers": providers}, indent=2))
    with pytest.raises(ConfigInvalid, match=problem) as caught:
        read_providers(file)
    assert f"{file}:{line}: " in caught.value.message
    assert CANARY not in caught.value.message


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", '{\n "providers": [\n', r"a.json:\d: not readable as JSON"),
        ("a.yaml", "providers:\n  - name: [\n", r"a.yaml:\d: not readable as YAML"),
        ("a.yaml", "providers: []\n---\nproviders: []\n", "one document"),
        ("a.json", '{"providers": [], "providers": []}', "a.json:1: providers: stands twice"),
        ("a.yaml", "providers:\n- name: a\n  name: b\n", r"a.yaml:3: providers\[0\].name: stands twice"),
        ("a.yaml", "provider: []\n", "a.yaml:1: provider: there is no such field; did you mean providers"),
        ("a.yaml", f"{CANARY}: []\n", "a.yaml:1: there is no such field as on this line; it takes providers"),
        ("a.json", "[" * 100_000, "not readable|nested"),
        ("a.yaml", "- one\n", "a.yaml:1: must be a block"),
        ("a.json", "\x00", "a.json"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_line(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigInvalid, match=problem) as caught:
        read_providers(tmp_path / name)
    assert CANARY not in caught.value.message


def test_half_a_character_is_told_with_its_field(tmp_path: Path) -> None:
    file = access_file(tmp_path, exec_changed(args=[f"{CANARY}\ud800"]))
    with pytest.raises(
        ConfigInvalid, match=r"providers.json: providers\[0\].execConfig.args\[0\]: "
    ) as caught:
        read_providers(file)
    assert CANARY not in caught.value.message


def test_a_missing_file_a_long_one_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        read_providers(tmp_path / "missing.json")
    (tmp_path / "long").write_bytes(b"#" * 2**21)
    with pytest.raises(ConfigInvalid, match="longer than"):
        read_providers(tmp_path / "long")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigInvalid, match="UTF-8"):
        read_providers(tmp_path / "bytes")


def test_a_relative_path_is_one_from_the_file_and_a_name_stays_a_name(tmp_path: Path) -> None:
    entries = [provider("./bin/plugin", "path"), provider("plugin", "name")]
    (tmp_path / "a.json").write_text(json.dumps({"providers": entries}))
    path, name = read_providers(tmp_path / "a.json")
    assert Path(path.exec_config.command) == tmp_path / "bin" / "plugin"
    assert name.exec_config.command == "plugin"


def test_arguments_and_variables_are_in_no_repr(tmp_path: Path) -> None:
    entry = exec_changed(args=[CANARY], env=[{"name": "A", "value": CANARY}])
    (tmp_path / "a.json").write_text(json.dumps({"providers": [entry]}))
    assert CANARY not in repr(read_providers(tmp_path / "a.json"))
