"""`store-plugin plugin logs`: what a plugin writes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._printable import printable, printable_json
from store_plugin.cli.plugin._shared import layout_of, name_argument, note, plugins_dir_option
from store_plugin.cli.plugin._sidecar import control_socket_option, sidecar_on

if TYPE_CHECKING:
    from store_plugin._proto import control_pb2 as proto

_MOST_KEPT = 500


@click.command()
@name_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    metavar="N",
    type=click.IntRange(min=0, max=_MOST_KEPT),
    default=100,
    show_default=True,
    help="How many of the newest lines are shown.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How lines are shown; json: an object each.",
)
@plugins_dir_option
@control_socket_option
def logs(
    name: str, follow: bool, lines: int, output: str, plugins_dir: Path, control_socket: Path | None
) -> None:
    """Show what a plugin writes, over all its processes.

    The running sidecar keeps the last 500 lines. Who reads too slowly loses lines, and is told how many.
    """
    with sidecar_on(layout_of(plugins_dir), control_socket) as sidecar:
        try:
            for taken in sidecar.control.plugin_output(name, lines, follow):
                _show(taken, output)
        except KeyboardInterrupt:
            return
    if follow:
        note(f"{name} is not run any more")


def _show(taken: "proto.PluginOutputResponse", output: str) -> None:
    if taken.lost:
        note(f"{taken.lost} lines came too fast, and are lost")
    for line in taken.lines:
        if output == "json":
            document = {"time": line.at.ToJsonString(), "line": line.text}
            click.echo(printable_json(json.dumps(document, ensure_ascii=False)))
        else:
            click.echo(printable(line.text))
