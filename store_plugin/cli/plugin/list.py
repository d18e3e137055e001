"""`store-plugin plugin list` and `status`: what is registered, and how it is doing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import output_option
from store_plugin.cli._printable import printable
from store_plugin.cli.plugin._shared import (
    SHORT,
    layout_of,
    name_argument,
    note,
    plugins_dir_option,
)
from store_plugin.cli.plugin._sidecar import control_socket_option, sidecar_on
from store_plugin.errors import NotReachable, PluginNotFound

if TYPE_CHECKING:
    from store_plugin.cli.plugin._shown import Shown

_NEXT = {
    "Disabled": "store-plugin plugin enable {0}",
    "Waiting": "it is started again by itself; 'store-plugin plugin logs {0}' shows what it wrote",
    "Broken": (
        "it is tried every ten minutes; 'store-plugin plugin logs {0}' shows what it wrote, "
        "'plugin restart {0}' starts it now, 'plugin update {0}' takes another version, "
        "'plugin disable {0}' leaves it"
    ),
}
"""What a person can do, by state."""
_COLUMNS = ("NAME", "VERSION", "STATE", "SINCE", "RESTARTS", "LAST FAILURE")


@click.command("list")
@plugins_dir_option
@control_socket_option
@output_option()
def list_(plugins_dir: Path, control_socket: Path | None, output: str) -> None:
    """List the plugins that are registered, and how they are doing.

    The running sidecar is asked. Without one, it is what the catalog says.
    """
    found = _found(plugins_dir, control_socket)
    if output != "table":
        emit([one.document() for one in found], output)
        return
    rows = [
        (o.name, o.version, o.state, o.since or "-", str(o.restarts), printable(o.why) or "-") for o in found
    ]
    emit_table(_COLUMNS, rows, empty="no plugin is registered: see 'store-plugin plugin available'")


@click.command()
@name_argument
@plugins_dir_option
@control_socket_option
@output_option()
def status(name: str, plugins_dir: Path, control_socket: Path | None, output: str) -> None:
    """Tell how one plugin is doing.

    The running sidecar is asked. Without one, it is what the catalog says.
    """
    one = next((one for one in _found(plugins_dir, control_socket) if one.name == name), None)
    if one is None:
        raise PluginNotFound(f"no plugin {name} is registered: see 'store-plugin plugin list'")
    if output != "table":
        emit(one.document(), output)
        return
    for label, value in _lines(one):
        if value:
            click.echo(f"{label:<14}{printable(value)}")


def _found(plugins_dir: Path, control_socket: Path | None) -> "list[Shown]":
    from store_plugin.cli.plugin._shown import shown
    from store_plugin.lifecycle.catalog import Catalog

    layout = layout_of(plugins_dir)
    catalog = Catalog(layout.catalog)
    try:
        with sidecar_on(layout, control_socket) as sidecar:
            return shown(catalog, sidecar.plugins())
    except NotReachable as error:
        note(f"{error.message}; this is what the catalog says")
        return shown(catalog, {})


def _lines(one: "Shown") -> list[tuple[str, str]]:
    signed = f", signed by {one.signer}" if one.signer else ""
    return [
        ("name", one.name),
        ("state", one.state),
        ("since", one.since),
        ("version", f"{one.version}, sha256 {one.digest[:SHORT]}{signed}"),
        ("to run", one.enabled or "none"),
        ("registered", ", ".join(one.registered)),
        ("process", f"{one.pid}, instance {one.instance}" if one.pid else ""),
        ("restarts", str(one.restarts)),
        ("last failure", one.why),
        ("next", _NEXT.get(one.state, "").format(one.name)),
    ]
