"""`store-plugin plugin build`: one file of a Python project."""

from pathlib import Path

import click

from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._shared import build_options, note, sources


@click.command()
@click.argument("source", metavar="DIR|WHEEL", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--to",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Left out: NAME-VERSION.pyz.",
)
@build_options
@click.option(
    "--python",
    metavar="PATH",
    default="/usr/bin/env python3",
    show_default=True,
    help="What runs it. As it is: the interpreter that store-plugin runs on.",
)
@output_option()
def build(
    source: Path, file: Path | None, wheels: Path | None, from_index: bool, python: str, output: str
) -> None:
    """Make one executable file of a Python project or a wheel.

    Dependencies come inside, as wheels and in pure Python only. store-plugin itself, and what it
    brings along, is found where the plugin runs. The same input makes the same file. Nothing is
    fetched from anywhere without --from-index.
    """
    from store_plugin.lifecycle.packages.building import build as make

    note(f"building {source} with pip")
    built = make(source, file, sources(wheels, from_index), interpreter=python)
    if output != "table":
        names = {"file": str(built.file), "name": built.name, "version": built.version}
        emit({**names, "digest": built.digest, "bundled": list(built.bundled)}, output)
        return
    click.echo(f"built {built.name} {built.version}: {built.file}, sha256 {built.digest}")
    if built.bundled:
        click.echo(f"inside: {', '.join(built.bundled)}")
    click.echo(f"now: store-plugin plugin install {built.file}")
