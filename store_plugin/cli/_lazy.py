"""Groups whose commands are imported when they are run, so that `store-plugin get` starts
without the libraries of the sidecar."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from store_plugin.cli._failures import MissingExtra, failure_of
from store_plugin.errors import StorePluginError


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is, and the line that the list of commands shows of it."""

    module: str
    help: str
    attribute: str = ""
    """The command's name in its module, where it is not the same."""

    def load(self, name: str) -> click.Command:
        command = getattr(import_module(self.module), self.attribute or name)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """Loads the commands of `lazy` by name, and turns typed errors into exit codes."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, LazyCommand], **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        try:
            return self.lazy[cmd_name].load(cmd_name)
        except ModuleNotFoundError as error:
            raise MissingExtra(error) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """click itself suggests only commands that are loaded."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if close := get_close_matches(args[0], self.lazy, n=1):
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in self.lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StorePluginError as error:
            raise failure_of(error) from error
        except ModuleNotFoundError as error:
            raise MissingExtra(error) from error
