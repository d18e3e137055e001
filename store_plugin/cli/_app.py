"""The group of all commands. A command's module is imported when the command is run, so
that `store-plugin get` starts without the libraries of the sidecar."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from store_plugin import __version__
from store_plugin.cli._failures import MissingExtra, failure_of
from store_plugin.errors import StorePluginError


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is, and the line that the list of commands shows of it."""

    module: str
    help: str

    def load(self, name: str) -> click.Command:
        command = getattr(import_module(self.module), name)
        assert isinstance(command, click.Command)
        return command


COMMANDS: Mapping[str, LazyCommand] = {
    "serve": LazyCommand("store_plugin.cli.serve", "Serve the External Secret Store protocol."),
    "get": LazyCommand("store_plugin.cli.get", "Show a secret."),
    "apply": LazyCommand("store_plugin.cli.apply", "Merge keys and labels into a secret."),
    "delete": LazyCommand("store_plugin.cli.delete", "Remove keys of a secret, or the whole secret."),
    "kinds": LazyCommand("store_plugin.cli.kinds", "List the kinds of store configs served here."),
    "crds": LazyCommand("store_plugin.cli.crds", "Print the CustomResourceDefinitions, or apply them."),
    "config": LazyCommand("store_plugin.cli.config", "Look after store configs."),
    "doctor": LazyCommand("store_plugin.cli.doctor", "Find out what is wrong, from inside of a Pod."),
    "copy": LazyCommand("store_plugin.cli.copy", "Copy secrets from one store to another."),
    "demo": LazyCommand("store_plugin.cli.demo", "Show it all, with a real OpenBao server."),
}

_EPILOG = """\b
Exit codes: 0 done; 1 refused, or something is wrong; 2 wrong usage;
3 the sidecar or the store behind it is not reachable: try again later.

\b
Completion in the shell:
  bash: eval "$(_STORE_PLUGIN_COMPLETE=bash_source store-plugin)"
  zsh:  eval "$(_STORE_PLUGIN_COMPLETE=zsh_source store-plugin)"
  fish: _STORE_PLUGIN_COMPLETE=fish_source store-plugin | source
"""


class LazyGroup(click.Group):
    """Loads commands by name, and turns typed errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            return COMMANDS[cmd_name].load(cmd_name)
        except ModuleNotFoundError as error:
            raise MissingExtra(error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StorePluginError as error:
            raise failure_of(error) from error
        except ModuleNotFoundError as error:
            raise MissingExtra(error) from error


@click.group(
    cls=LazyGroup,
    epilog=_EPILOG,
    context_settings={"auto_envvar_prefix": "STORE_PLUGIN", "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="store-plugin", help="Show the version and exit.")
def cli() -> None:
    """Keep the secrets of Kubernetes operators in external stores.

    Options can also be set by variables of the environment: those that name the sidecar by
    the ones in the help of each command, all others by STORE_PLUGIN_COMMAND_OPTION.
    """
