"""What the commands about plugins share: the directory they work on, and what to do next."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._printable import printable
from store_plugin.cli.plugin._completing import VARIABLE, complete_name, complete_version
from store_plugin.errors import InvalidRequest

if TYPE_CHECKING:
    from store_plugin.lifecycle.layout import Layout
    from store_plugin.lifecycle.packages.pip import Sources

_DIRECTORY = "plugins_dir"
SHORT = 12
"""Digits of a digest that tables show, enough to name it."""

plugins_dir_option = click.option(
    "--plugins-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    envvar=VARIABLE,
    show_envvar=True,
    required=True,
    help="Where the sidecar keeps its plugins and all about them.",
)
signature_option = click.option(
    "--signature",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its signature, as 'cosign sign-blob' writes it.",
)
name_argument = click.argument("name", metavar="NAME", shell_complete=complete_name)
version_argument = click.argument(
    "version", metavar="[VERSION]", required=False, shell_complete=complete_version
)


def build_options(command: Callable[..., None]) -> Callable[..., None]:
    """Where the dependencies of a Python project come from: `wheels` and `from_index`."""
    command = click.option(
        "--from-index", is_flag=True, help="Let pip fetch dependencies from the index it is configured with."
    )(command)
    return click.option(
        "--wheels",
        metavar="DIR",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Take dependencies from the wheels in a directory.",
    )(command)


def sources(wheels: Path | None, from_index: bool) -> "Sources":
    from store_plugin.lifecycle.packages.pip import Sources

    return Sources(wheels, from_index)


def layout_there(plugins_dir: Path) -> "Layout":
    """The same of one that is there already: what is asked of another place is answered wrongly.
    InvalidRequest."""
    if not plugins_dir.exists():
        raise InvalidRequest(
            f"there is no plugins directory {plugins_dir}: 'store-plugin plugin install' makes one"
        )
    return layout_of(plugins_dir)


def layout_of(plugins_dir: Path) -> "Layout":
    """The directory, ready to be used. ConfigInvalid."""
    from store_plugin.lifecycle.layout import Layout

    layout = Layout(plugins_dir.absolute())
    layout.prepare()
    return layout


def say_next(command: str) -> None:
    """Tell the next step, with the directory where it was not in the environment."""
    context = click.get_current_context()
    source = context.get_parameter_source(_DIRECTORY)
    if source is click.core.ParameterSource.COMMANDLINE:
        command += f" --plugins-dir {context.params[_DIRECTORY]}"
    click.echo(f"now: store-plugin plugin {command}")


def note(text: str) -> None:
    """Something to know while a command works; not part of its result."""
    click.echo(printable(text), err=True)
