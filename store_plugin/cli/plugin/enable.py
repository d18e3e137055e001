"""`store-plugin plugin enable` and `disable`: what runs."""

from pathlib import Path

import click

from store_plugin.cli.plugin._running import let_run
from store_plugin.cli.plugin._shared import (
    layout_of,
    name_argument,
    plugins_dir_option,
    say_next,
    version_argument,
)
from store_plugin.cli.plugin._sidecar import control_socket_option, told_to
from store_plugin.cli.plugin._waiting import Wait, wait_options


@click.command()
@name_argument
@version_argument
@wait_options
@plugins_dir_option
@control_socket_option
def enable(
    name: str, version: str | None, wait: Wait | None, plugins_dir: Path, control_socket: Path | None
) -> None:
    """Have a registered version run.

    VERSION left out: the one registered last. A sidecar that runs on this directory starts it beside
    the one before, and changes over when it is ready.
    """
    let_run(layout_of(plugins_dir), name, version, wait, control_socket)


@click.command()
@name_argument
@plugins_dir_option
@control_socket_option
def disable(name: str, plugins_dir: Path, control_socket: Path | None) -> None:
    """Have no version of a plugin run."""
    from store_plugin.lifecycle.administration.registering import Registrar

    layout = layout_of(plugins_dir)
    version = Registrar(layout).disable(name)
    click.echo(f"disabled {name} {version}")
    told_to(layout, control_socket)
    say_next(f"remove {name}")
