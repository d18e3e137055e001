"""`store-plugin plugin deregister` and `remove`: the end of a plugin."""

from pathlib import Path

import click

from store_plugin.cli.plugin._shared import (
    SHORT,
    layout_of,
    name_argument,
    plugins_dir_option,
    say_next,
    version_argument,
)


@click.command()
@name_argument
@version_argument
@plugins_dir_option
def deregister(name: str, version: str | None, plugins_dir: Path) -> None:
    """Take versions of a plugin out of the catalog.

    VERSION left out: all of them, or none where one is enabled: that has to be disabled first.
    Executables stay installed.
    """
    from store_plugin.lifecycle.administration.registering import Registrar

    taken = Registrar(layout_of(plugins_dir)).deregister(name, version)
    for registration in taken:
        click.echo(f"deregistered {registration.name} {registration.version}")
    say_next(f"register {taken[-1].digest[:SHORT]}")


@click.command()
@name_argument
@version_argument
@plugins_dir_option
def remove(name: str, version: str | None, plugins_dir: Path) -> None:
    """Take versions out, and delete what nothing needs any more.

    VERSION left out: all of them, or none where one is enabled: that has to be disabled first. An
    executable that is installed and not registered is removed by its digest.
    """
    from store_plugin.lifecycle.administration.removing import remove as removed

    for line in removed(layout_of(plugins_dir), name, version):
        click.echo(line)
