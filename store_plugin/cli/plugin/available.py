"""`store-plugin plugin available`: what could be run here."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._shared import SHORT, layout_of, note, plugins_dir_option
from store_plugin.errors import StorePluginError

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.discovering import Offer


@click.command()
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default="/opt/store-plugin/plugins",
    show_default=True,
    help="Where images and volumes put executables.",
)
@click.option("--describe", is_flag=True, help="Run each file that is not registered, and ask it what it is.")
@plugins_dir_option
@output_option()
def available(directory: Path, describe: bool, plugins_dir: Path, output: str) -> None:
    """List what could be run here, and what is registered of it.

    These are executables in a directory, those that are installed, and what Python packages offer.
    None of them is run, unless --describe asks for it.
    """
    from store_plugin.lifecycle.administration.discovering import available as offers
    from store_plugin.lifecycle.administration.registering import Registrar

    layout = layout_of(plugins_dir)
    found = offers(Registrar(layout), directory)
    if describe:
        found = [_described(offer, layout.content) for offer in found]
    if output == "table":
        columns = ("NAME", "VERSION", "STATE", "SOURCE", "WHERE", "DIGEST")
        rows = [(o.name, o.version, o.state or "-", o.source, o.where, o.digest[:SHORT]) for o in found]
        empty = f"nothing is installed, and nothing lies in {directory}: store-plugin plugin install FILE"
        emit_table(columns, rows, empty=empty)
        return
    names = ("name", "version", "state", "source", "where", "digest")
    emit([{name: getattr(offer, name) for name in names} for offer in found], output)


def _described(offer: "Offer", content: Path) -> "Offer":
    from store_plugin.lifecycle.administration.describing import describe

    if not offer.digest or offer.name:
        return offer
    file = Path(offer.where) if offer.source == "file" else content / offer.digest
    note(f"running {file} --describe")
    try:
        told = asyncio.run(describe(file, offer.digest))
    except StorePluginError as error:
        note(f"{file}: {error.message}")
        return offer
    return replace(offer, name=told.name, version=told.version)
