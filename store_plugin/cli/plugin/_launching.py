"""A plugin as a person starts it by hand: its command, its variables, its config."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._failures import Failure

if TYPE_CHECKING:
    from store_plugin.authoring.trial import Launch


def launch_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command` (a program and its arguments) and `variables`."""
    command = click.argument("command", metavar="CMD [ARG]...", nargs=-1, required=True)(command)
    return click.option(
        "--env", "variables", metavar="NAME", multiple=True, help="A variable that it may see; repeatable."
    )(command)


def config_option(required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--config",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=required,
        help="Store config of one of its kinds, to try it with.",
    )


def launch_of(command: tuple[str, ...], variables: tuple[str, ...]) -> "Launch":
    """What to start. It begins in `/`, so what names a file here is made absolute."""
    from store_plugin.authoring.trial import Launch
    from store_plugin.lifecycle.environment import minimal_environment

    program, *arguments = command
    found = shutil.which(program)
    if found is None:
        raise Failure(f"{program} is not there, or cannot be run{_hint(Path(program))}")
    given = {name: os.environ[name] for name in variables if name in os.environ}
    return Launch(
        Path(found).absolute(), tuple(map(_from_root, arguments)), {**minimal_environment(), **given}
    )


def _from_root(argument: str) -> str:
    """A file, or what is written as a path; a word that a directory happens to have as its name is none."""
    path = Path(argument)
    named = path.is_file() or (os.sep in argument and path.exists())
    return str(path.absolute()) if named else argument


def _hint(path: Path) -> str:
    if path.is_dir() or path.suffix == ".whl":
        return f": 'store-plugin plugin build {path}' makes one executable file of it"
    return f": chmod +x {path}" if path.is_file() else ""
