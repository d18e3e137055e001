"""`store-plugin plugin enable` and `disable`: what runs."""

from pathlib import Path

import click

from store_plugin.cli.plugin._shared import (
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
def enable(name: str, version: str | None, plugins_dir: Path) -> None:
    """Have a registered version run.

    VERSION left out: the one registered last. A sidecar that runs on this directory starts it beside
    the one before, and changes over when it is ready.
    """
    from store_plugin.lifecycle.administration.registering import Registrar

    chosen, before = Registrar(layout_of(plugins_dir)).enable(name, version)
    if before == chosen:
        click.echo(f"{name} {chosen} was enabled before")
        return
    click.echo(f"enabled {name} {chosen}" + (f" in place of {before}" if before else ""))


@click.command()
@name_argument
@plugins_dir_option
def disable(name: str, plugins_dir: Path) -> None:
    """Have no version of a plugin run."""
    from store_plugin.lifecycle.administration.registering import Registrar

    version = Registrar(layout_of(plugins_dir)).disable(name)
    click.echo(f"disabled {name} {version}")
    say_next(f"remove {name}")
