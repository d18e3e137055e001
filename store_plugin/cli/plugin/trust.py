"""`store-plugin plugin trust`: the keys whose signatures count."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import output_option
from store_plugin.cli.plugin._shared import layout_of, plugins_dir_option

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.trust import TrustedKeys


@click.group()
def trust() -> None:
    """Look after the keys that signatures are checked with."""


@trust.command()
@click.argument("key", metavar="KEY", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@plugins_dir_option
def add(key: Path, plugins_dir: Path) -> None:
    """Trust a public key: PEM, ECDSA P-256 or Ed25519, such as cosign.pub."""
    signer = _keys(plugins_dir).add(key)
    click.echo(f"trusted {signer.name}, fingerprint {signer.fingerprint}")


@trust.command("list")
@plugins_dir_option
@output_option()
def list_(plugins_dir: Path, output: str) -> None:
    """List the trusted keys."""
    found = _keys(plugins_dir).list()
    if output == "table":
        emit_table(("KEY", "FINGERPRINT"), [(signer.name, signer.fingerprint) for signer in found])
        return
    emit([{"name": signer.name, "fingerprint": signer.fingerprint} for signer in found], output)


@trust.command()
@click.argument("key", metavar="NAME")
@plugins_dir_option
def remove(key: str, plugins_dir: Path) -> None:
    """Trust a key no more.

    What only this key has signed stays registered and does not start any more. What runs goes on:
    restart or disable it.
    """
    _keys(plugins_dir).remove(key)
    click.echo(f"{key} is trusted no more")


@trust.command()
@click.argument("required", metavar="on|off", type=click.Choice(["on", "off"]))
@plugins_dir_option
def require(required: str, plugins_dir: Path) -> None:
    """Require a trusted signature of everything in this directory, or not."""
    _keys(plugins_dir).require(required == "on")
    click.echo("signatures are required from now on" if required == "on" else "signatures are not required")


def _keys(plugins_dir: Path) -> "TrustedKeys":
    from store_plugin.lifecycle.administration.trust import TrustedKeys
    from store_plugin.lifecycle.audit import AuditLog

    layout = layout_of(plugins_dir)
    return TrustedKeys(layout, AuditLog(layout.audit))
