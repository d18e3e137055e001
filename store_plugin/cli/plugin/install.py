"""`store-plugin plugin install`: an executable comes into the plugins directory."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._incoming import Named, incoming_options
from store_plugin.cli.plugin._shared import SHORT, layout_of, plugins_dir_option, say_next

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.installing import Incoming, Installed


@click.command()
@click.argument("what", metavar="PATH|WHEEL|DIR|NAME[==VERSION]")
@incoming_options
@plugins_dir_option
@output_option()
def install(what: str, named: Named, plugins_dir: Path, output: str) -> None:
    """Bring an executable into the plugins directory.

    It is copied by its SHA-256, and run from nowhere else. A Python project or a wheel is built into
    one file first. Nothing is run by this: the next step is to register it.
    """
    from store_plugin.lifecycle.administration.installing import Installer

    installer = Installer(layout_of(plugins_dir))
    with named.incoming(what) as incoming:
        installed = installer.install(incoming)
    _show(incoming, installed, output)


def _show(incoming: "Incoming", installed: "Installed", output: str) -> None:
    if output != "table":
        emit(
            {
                "name": installed.name,
                "version": installed.version,
                "digest": installed.digest,
                "signer": installed.signer,
                "new": installed.new,
            },
            output,
        )
        return
    named = " ".join(filter(None, (installed.name, installed.version))) or incoming.source
    click.echo(f"{'installed' if installed.new else 'already installed:'} {named}, sha256 {installed.digest}")
    click.echo(f"signed by {installed.signer}" if installed.signer else "not signed")
    say_next(f"register {installed.name or installed.digest[:SHORT]}")
