"""Help for everything, and a start without what a command does not need."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from store_plugin.cli._app import COMMANDS, cli
from store_plugin.cli.access import COMMANDS as ACCESS_COMMANDS
from store_plugin.cli.plugin import COMMANDS as PLUGIN_COMMANDS
from tests.support import manifests

HEAVY = {"aiohttp", "pydantic", "structlog", "watchfiles", "hvac", "yaml", "rich", "uvloop", "cryptography"}


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


ALL = dict(commands(cli, "store-plugin"))


def test_every_command_is_there() -> None:
    expected = {
        "serve",
        "get",
        "apply",
        "delete",
        "kinds",
        "crds",
        "config",
        "config check",
        "copy",
        "exec-credential",
        "demo",
        "doctor",
        "access",
        *(f"access {name}" for name in ACCESS_COMMANDS),
        "audit",
        "audit tail",
        "audit verify",
        "plugin",
        *(f"plugin {name}" for name in PLUGIN_COMMANDS),
        *(f"plugin trust {name}" for name in ("add", "list", "remove", "require")),
        "status",
        "log-level",
        "plugins",
        "plugins list",
        "plugins call",
        "publisher",
    }
    assert {path.removeprefix("store-plugin ") for path in ALL} == expected


@pytest.mark.parametrize("path", ALL)
def test_every_command_and_option_has_help(path: str) -> None:
    command = ALL[path]
    assert command.help
    without = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert without == []
    result = CliRunner().invoke(cli, [*path.split()[1:], "--help"])
    assert result.exit_code == 0


@pytest.mark.parametrize("path", ALL)
def test_what_a_parameter_takes_is_not_named_after_a_function_here(path: str) -> None:
    """click takes the name of the function that reads the text where no metavar is given."""
    parsed = [
        parameter for parameter in ALL[path].params if isinstance(parameter.type, click.types.FuncParamType)
    ]
    assert [parameter.name for parameter in parsed if parameter.metavar is None] == []


@pytest.mark.parametrize("path", ALL)
def test_what_an_option_takes_is_told_by_its_meaning(path: str) -> None:
    """DIR and SECONDS, not PATH and FLOAT RANGE; choices show themselves."""
    taking = [
        parameter
        for parameter in ALL[path].params
        if isinstance(parameter, click.Option)
        and not parameter.is_flag
        and not isinstance(parameter.type, click.Choice)
    ]
    assert [parameter.opts for parameter in taking if parameter.metavar is None] == []


BELOW = {
    **{f"plugin {name}": command for name, command in PLUGIN_COMMANDS.items()},
    **{f"access {name}": command for name, command in ACCESS_COMMANDS.items()},
}


@pytest.mark.parametrize("name", BELOW)
def test_list_of_commands_below_says_the_same(name: str) -> None:
    assert ALL[f"store-plugin {name}"].get_short_help_str(200) == BELOW[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    """The list is written down apart, so that showing it imports nothing."""
    assert ALL[f"store-plugin {name}"].get_short_help_str(200) == COMMANDS[name].help


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["gett"], "'get'"), (["plugin", "instal"], "'install'"), (["access", "chekc"], "'check'")],
    ids=["all", "plugin", "access"],
)
def test_a_command_that_is_misspelt_is_told_the_one_that_may_be_meant(typed: list[str], meant: str) -> None:
    result = CliRunner().invoke(cli, typed)
    assert result.exit_code == 2
    assert f"Error: No such command {typed[-1]!r}. Did you mean {meant}?" in result.output.splitlines()


def test_a_command_like_no_other_suggests_nothing() -> None:
    output = CliRunner().invoke(cli, ["xyzzy"]).output
    assert output.endswith("Error: No such command 'xyzzy'.\n")


def test_help_tells_exit_codes_and_completion() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    for said in (
        "Exit codes: 0 done; 1 refused",
        "2 wrong usage",
        "3 the sidecar",
        "_STORE_PLUGIN_COMPLETE=bash",
    ):
        assert said in shown


@pytest.mark.parametrize("command", ["get", "apply", "delete"])
def test_connection_variables_are_in_the_help(command: str) -> None:
    shown = CliRunner().invoke(cli, [command, "--help"]).output
    for name in ("ENDPOINT", "TOKEN_FILE", "CERTS_DIR", "SERVER_NAME", "TIMEOUT", "CONNECT_TIMEOUT"):
        assert f"STORE_PLUGIN_{name}" in shown


def test_who_names_no_control_socket_is_told_where_it_may_be() -> None:
    result = CliRunner().invoke(cli, ["status"], env={"STORE_PLUGIN_CONTROL_SOCKET": ""})
    assert result.exit_code == 2
    assert "--control-socket PATH" in result.output
    assert "with --plugins-dir DIR it is DIR/control.sock" in result.output


def loaded_by(*arguments: str) -> set[str]:
    program = (
        "import sys; from store_plugin.cli._app import cli\n"
        f"cli({list(arguments)!r}, standalone_mode=False)\n"
        "print(' '.join(sys.modules), file=sys.stderr)"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in output.stderr.split()}


@pytest.mark.parametrize("group", [[], ["plugin"], ["access"]], ids=["all", "plugin", "access"])
def test_list_of_commands_loads_no_grpc(group: list[str]) -> None:
    assert loaded_by(*group, "--help") & {"grpc", *HEAVY} == set()


@pytest.mark.parametrize("command", ["get", "apply", "delete"])
def test_client_commands_load_nothing_of_the_sidecar(command: str) -> None:
    loaded = loaded_by(command, "--help")
    assert "grpc" in loaded
    assert loaded & HEAVY == set()


def test_printing_crds_loads_no_kubernetes() -> None:
    assert "kubernetes" not in loaded_by("crds", "-o", "name")


def test_kinds_loads_no_store() -> None:
    loaded = loaded_by("kinds", "-o", "json")
    assert loaded & {"stores", "aiohttp", "hvac", "cryptography"} == set()


def test_completion_offers_commands() -> None:
    environ = {"_STORE_PLUGIN_COMPLETE": "bash_complete", "COMP_WORDS": "store-plugin ", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", "from store_plugin.cli import main; main()"]
    output = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert {f"plain,{name}" for name in COMMANDS} <= set(output.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("store-plugin get Local", {"LocalConfig/files"}),
        ("store-plugin copy ", {"LocalConfig/files", "VaultConfig/vault"}),
        ("store-plugin copy LocalConfig/files V", {"VaultConfig/vault"}),
        ("store-plugin delete VaultConfig/nope", set()),
    ],
)
def test_completion_offers_the_store_configs_of_the_directory(
    words: str, offered: set[str], tmp_path: Path
) -> None:
    manifests.local(tmp_path, "files", tmp_path)
    manifests.write(tmp_path, "VaultConfig", "vault", {})  # not valid: still it is named so
    (tmp_path / "broken.yaml").write_text("[")
    environ = {
        "STORE_PLUGIN_CONFIG_DIR": str(tmp_path),
        "_STORE_PLUGIN_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-c", "from store_plugin.cli import main; main()"]
    output = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert set(output.stdout.split()) == {f"plain,{name}" for name in offered}
    assert output.stderr == ""


def test_missing_click_is_told_with_what_to_install() -> None:
    program = "import sys; sys.modules['click'] = None; from store_plugin.cli import main; main()"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.returncode == 2
    assert "pip install 'store-plugin[cli]'" in output.stderr


def test_missing_library_of_a_command_is_told_with_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pydantic'] = None\n"
        "sys.argv[1:] = ['kinds']; from store_plugin.cli import main; main()"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.returncode == 1
    assert "'pydantic'" in output.stderr
    assert "Traceback" not in output.stderr
