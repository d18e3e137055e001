"""Having a version run: recorded in the catalog, told to the sidecar, and waited for where that is
wanted."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli.plugin._sidecar import sidecar_on, told_to
from store_plugin.cli.plugin._waiting import Wait

if TYPE_CHECKING:
    from store_plugin.lifecycle.layout import Layout


def let_run(
    layout: "Layout", name: str, version: str | None, wait: Wait | None, control_socket: Path | None
) -> None:
    """Enable a version, left out: the newest. NotReachable where it shall be waited for and no
    sidecar runs: it is enabled all the same. Failure where waiting ends badly."""
    from store_plugin.lifecycle.administration.registering import Registrar

    registrar = Registrar(layout)
    chosen, before = registrar.enable(name, version)
    if before == chosen:
        click.echo(f"{name} {chosen} was enabled before")
    else:
        click.echo(f"enabled {name} {chosen}" + (f" in place of {before}" if before else ""))
    if wait is None:
        told_to(layout, control_socket)
        return
    with sidecar_on(layout, control_socket) as sidecar:
        sidecar.control.catalog_changed()
        wait.until_runs(sidecar, registrar.catalog, name, chosen)
