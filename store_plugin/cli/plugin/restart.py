"""`store-plugin plugin restart`: another process of a plugin."""

from pathlib import Path

import click

from store_plugin.cli.plugin._shared import layout_of, name_argument, plugins_dir_option
from store_plugin.cli.plugin._sidecar import control_socket_option, sidecar_on
from store_plugin.cli.plugin._waiting import Wait, wait_options


@click.command()
@name_argument
@wait_options
@plugins_dir_option
@control_socket_option
def restart(name: str, wait: Wait | None, plugins_dir: Path, control_socket: Path | None) -> None:
    """Have the running sidecar start a plugin anew.

    Also one that had ended too often and is left alone (Broken). Calls under way finish first.
    """
    layout = layout_of(plugins_dir)
    with sidecar_on(layout, control_socket) as sidecar:
        before = sidecar.plugins().get(name)
        sidecar.control.restart_plugin(name)
        click.echo(f"restarting {name}")
        if wait is not None:
            wait.until_restarted(sidecar, name, before.instance if before else "")
