"""`store-plugin status`: how a running sidecar is doing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from store_plugin.cli._control import Control, with_control
from store_plugin.cli._output import Plain, emit, emit_table
from store_plugin.cli._parameters import output_option

if TYPE_CHECKING:
    from store_plugin._proto import control_pb2 as proto

_READY = "Ready"
"""As the sidecar says it (docs/operations.md, "Config states"): what knows it is not loaded here."""
_NOT_READY = (
    "which are not Ready, and why: /configs on the sidecar's --admin-listen, "
    "or 'store-plugin doctor' beside it"
)


@click.command()
@output_option()
@with_control
def status(control: Control, output: str) -> None:
    """Show how a running sidecar is doing.

    The sidecar is asked over its control socket. `store-plugin doctor` looks further.
    """
    found = control.status()
    if output != "table":
        emit(_document(found), output)
        return
    emit_table(("SIDECAR", ""), _rows(found))
    click.echo()
    emit_table(
        ("CONFIGS OF KIND", "STATE", "NUMBER"),
        ((c.kind, c.state, str(c.number)) for c in found.configs),
        empty="no store config is known: see --config-dir of serve, or 'kubectl get store'",
    )
    if any(c.state != _READY for c in found.configs):
        click.echo(_NOT_READY, err=True)


def _rows(found: "proto.StatusResponse") -> Iterator[tuple[str, str]]:
    yield "version", found.version
    yield "serving", "yes" if found.serving else "no"
    yield "started", found.started.ToJsonString()
    for endpoint in found.listening:
        yield "listening", endpoint
    yield "calls in flight", str(found.in_flight)
    yield "plugins connected", str(found.plugins)
    yield "log level", found.log_level


def _document(found: "proto.StatusResponse") -> Plain:
    return {
        "version": found.version,
        "serving": found.serving,
        "started": found.started.ToJsonString(),
        "listening": list(found.listening),
        "inFlight": found.in_flight,
        "plugins": found.plugins,
        "logLevel": found.log_level,
        "configs": [{"kind": c.kind, "state": c.state, "number": c.number} for c in found.configs],
    }
