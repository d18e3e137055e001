"""`store-plugin plugin export` and `import`: the catalog as text, for git and for another cluster."""

from pathlib import Path
from typing import TextIO

import click

from store_plugin.cli.plugin._shared import layout_of, layout_there, plugins_dir_option
from store_plugin.cli.plugin._sidecar import control_socket_option, told_to


@click.command()
@plugins_dir_option
def export(plugins_dir: Path) -> None:
    """Write the catalog as YAML.

    The same catalog is the same text. Executables are not in it, only their digests.
    """
    from store_plugin.lifecycle.administration.exporting import exported
    from store_plugin.lifecycle.administration.registering import Registrar

    click.echo(exported(Registrar(layout_there(plugins_dir))), nl=False)


@click.command("import")
@click.argument("file", metavar="FILE|-", type=click.File())
@plugins_dir_option
@control_socket_option
def import_(file: TextIO, plugins_dir: Path, control_socket: Path | None) -> None:
    """Have the catalog be as an export says.

    What is not in the export is deregistered. All executables have to be installed before.
    """
    from store_plugin.lifecycle.administration.exporting import MAX_EXPORT_BYTES, imported
    from store_plugin.lifecycle.administration.registering import Registrar

    layout = layout_of(plugins_dir)
    export = imported(Registrar(layout), file.read(MAX_EXPORT_BYTES + 1))
    click.echo(f"{len(export.plugins)} registered, {len(export.enabled)} enabled")
    told_to(layout, control_socket)
