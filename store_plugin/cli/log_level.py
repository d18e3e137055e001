"""`store-plugin log-level`: what a running sidecar logs."""

import click

from store_plugin.cli._control import Control, with_control
from store_plugin.cli._settings import LOG_LEVELS


@click.command("log-level")
@click.argument("level", required=False, type=click.Choice(LOG_LEVELS))
@with_control
def log_level(control: Control, level: str | None) -> None:
    """Show or set the least level that a running sidecar logs.

    It holds until the sidecar ends; `serve --log-level` is where it begins.
    """
    if level is not None:
        control.set_log_level(level)
    click.echo(control.status().log_level)
