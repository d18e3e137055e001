"""`store-plugin plugin trust`: the keys whose signatures count."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._shared import layout_of, plugins_dir_option
from store_plugin.cli.plugin._sidecar import control_socket_option, told_to

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.trust import TrustedKeys
    from store_plugin.lifecycle.layout import Layout


@click.group()
def trust() -> None:
    """Look after the keys that signatures are checked with."""


@trust.command()
@click.argument("key", metavar="KEY", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@plugins_dir_option
@control_socket_option
def add(key: Path, plugins_dir: Path, control_socket: Path | None) -> None:
    """Trust a public key: PEM, ECDSA P-256 or Ed25519, such as cosign.pub.

    What could not start because nobody vouched for it starts by itself.
    """
    layout = layout_of(plugins_dir)
    signer = _keys(layout).add(key)
    click.echo(f"trusted {signer.name}, fingerprint {signer.fingerprint}")
    told_to(layout, control_socket)


@trust.command("list")
@plugins_dir_option
@output_option()
def list_(plugins_dir: Path, output: str) -> None:
    """List the trusted keys."""
    found = _keys(layout_of(plugins_dir)).list()
    if output == "table":
        rows = [(signer.name, signer.fingerprint) for signer in found]
        emit_table(
            ("KEY", "FINGERPRINT"), rows, empty="no key is trusted: store-plugin plugin trust add FILE"
        )
        return
    emit([{"name": signer.name, "fingerprint": signer.fingerprint} for signer in found], output)


@trust.command()
@click.argument("key", metavar="NAME")
@plugins_dir_option
@control_socket_option
def remove(key: str, plugins_dir: Path, control_socket: Path | None) -> None:
    """Trust a key no more.

    A plugin that only this key has signed is ended, and does not start any more. It stays registered,
    and runs again when one that is trusted vouches for it.
    """
    layout = layout_of(plugins_dir)
    _keys(layout).remove(key)
    click.echo(f"{key} is trusted no more")
    _tell_what_ends(layout, control_socket)


@trust.command()
@click.argument("required", metavar="on|off", type=click.Choice(["on", "off"]))
@plugins_dir_option
@control_socket_option
def require(required: str, plugins_dir: Path, control_socket: Path | None) -> None:
    """Require a trusted signature of everything in this directory, or not.

    With `on`, a plugin that runs and has none is ended.
    """
    layout = layout_of(plugins_dir)
    _keys(layout).require(required == "on")
    click.echo("signatures are required from now on" if required == "on" else "signatures are not required")
    _tell_what_ends(layout, control_socket)


def _tell_what_ends(layout: "Layout", control_socket: Path | None) -> None:
    """Of all that is enabled, what must not run now."""
    from store_plugin.lifecycle.administration.vouching import unvouched

    becomes = "is ended" if told_to(layout, control_socket) else "does not start any more"
    for registration, why in unvouched(layout):
        click.echo(f"{registration.name} {registration.version} {becomes}: {why}")


def _keys(layout: "Layout") -> "TrustedKeys":
    from store_plugin.lifecycle.administration.trust import TrustedKeys
    from store_plugin.lifecycle.audit import AuditLog

    return TrustedKeys(layout, AuditLog(layout.audit))
