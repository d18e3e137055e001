"""`store-plugin plugins`: the plugins of a running sidecar, and calls to them."""

from typing import TYPE_CHECKING

import click

from store_plugin.cli._control import Control, complete_plugin, with_control
from store_plugin.cli._output import Plain, emit, emit_table
from store_plugin.cli._parameters import output_option, timeout_option
from store_plugin.stream.frames import seconds

if TYPE_CHECKING:
    from store_plugin._proto import control_pb2 as proto

_COLUMNS = ("NAME", "VERSION", "INSTANCE", "IDENTITY", "KINDS", "SINCE", "IN FLIGHT", "LAST HEARTBEAT")
_EMPTY = (
    "no plugin is connected: one that cannot connect says why in its log, and the sidecar whom it refused"
)


class PluginsGroup(click.Group):
    """Without a command of its own: `list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_for_help = any(arg in ctx.help_option_names for arg in args[:1])
        if not asks_for_help and (not args or args[0] not in self.commands):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=PluginsGroup)
def plugins() -> None:
    """Show the plugins of a running sidecar, call them.

    Without a command it is `list`. The sidecar is asked over its control socket.
    """


@plugins.command("list")
@output_option()
@with_control
def list_plugins(control: Control, output: str) -> None:
    """List the plugins that are connected now."""
    found = control.plugins()
    if output == "table":
        emit_table(_COLUMNS, map(_row, found), empty=_EMPTY)
    else:
        emit([_document(plugin) for plugin in found], output)


@plugins.command()
@click.argument("name", shell_complete=complete_plugin)
@click.argument("method")
@click.argument("request", metavar="JSON", default="{}")
@timeout_option(default=30.0, help="Longest that the plugin may take.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["json", "yaml"]),
    default="json",
    show_default=True,
    help="How the response is shown.",
)
@with_control
def call(control: Control, name: str, method: str, request: str, timeout: float, output: str) -> None:
    """Call METHOD of plugin NAME with a request in JSON, and show its response.

    METHOD is `Service/Method`, or `Method` where only one service has it. It works with plugins that
    describe their services, as those of the Python SDK do. A method that answers with a stream
    cannot be called like this.
    """
    from store_plugin.cli._described import described

    found = described(control, name, method, timeout)
    payload = control.call_plugin(name, found.path, found.request(request), timeout)
    emit(found.response(payload), output)


def _row(plugin: "proto.Plugin") -> tuple[str, ...]:
    return (
        plugin.name,
        plugin.version,
        plugin.instance,
        plugin.user or "-",
        ", ".join(plugin.kinds) or "-",
        plugin.since.ToJsonString(),
        str(plugin.in_flight),
        f"{seconds(plugin.silent_for):.1f} s ago",
    )


def _document(plugin: "proto.Plugin") -> Plain:
    return {
        "name": plugin.name,
        "version": plugin.version,
        "instance": plugin.instance,
        "identity": plugin.user,
        "kinds": list(plugin.kinds),
        "services": list(plugin.services),
        "since": plugin.since.ToJsonString(),
        "inFlight": plugin.in_flight,
        "silentFor": seconds(plugin.silent_for),
    }
