"""`store-plugin audit`: what happened to plugins, and whether the record of it is whole."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

import click

from store_plugin.cli._output import emit
from store_plugin.cli._parameters import output_option
from store_plugin.cli._printable import printable
from store_plugin.cli.plugin._shared import layout_there, plugins_dir_option

_LOOK_SECONDS = 0.5
_SHOWN_APART = ("seal", "number", "time", "event", "plugin")


@click.group()
def audit() -> None:
    """Read and check the record of what happened to plugins."""


@audit.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "records",
    metavar="N",
    type=click.IntRange(min=0, max=100_000),
    default=20,
    show_default=True,
    help="How many of the newest records are shown.",
)
@click.option("--raw", is_flag=True, help="Show the lines as they are written: JSON, with their seals.")
@plugins_dir_option
def tail(follow: bool, records: int, raw: bool, plugins_dir: Path) -> None:
    """Show the newest records."""
    from store_plugin.lifecycle.audit_tail import AuditTail

    record = AuditTail(layout_there(plugins_dir).audit)
    _show(record.last(records), raw)
    while follow:
        time.sleep(_LOOK_SECONDS)
        _show(record.fresh(), raw)


@audit.command()
@click.option("--head", metavar="SEAL", help="A head noted before, elsewhere: it must be in the record.")
@plugins_dir_option
@output_option()
def verify(head: str | None, plugins_dir: Path, output: str) -> None:
    """Check that no record was changed, dropped, added or moved.

    With a head that was noted elsewhere, such as in what the sidecar says on standard output, it also
    finds that the end was cut off, or that all was written anew by somebody who has the key.
    """
    from store_plugin.lifecycle.audit import AuditLog

    verdict = AuditLog(layout_there(plugins_dir).audit).verify(head)
    if output != "table":
        emit({"records": verdict.records, "head": verdict.head}, output)
        return
    click.echo(f"{verdict.records} records, the chain holds")
    click.echo(f"head {verdict.head}")


def _show(lines: Iterable[str], raw: bool) -> None:
    for line in lines:
        click.echo(printable(line if raw else _readable(line)))


def _readable(line: str) -> str:
    """Time, event, plugin, and the rest as name=value."""
    try:
        record = json.loads(line)
    except ValueError:
        return f"(not readable) {line[:200]}"
    rest = [f"{name}={_plain(value)}" for name, value in record.items() if name not in _SHOWN_APART]
    shown = (
        record.get("time", ""),
        f"{record.get('event', ''):<12}",
        f"{record.get('plugin', '') or '-':<16}",
    )
    return " ".join([*map(str, shown), *rest]).rstrip()


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
