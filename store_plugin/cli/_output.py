"""How results are shown: tables for people, JSON and YAML for programs."""

import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import click

from store_plugin.cli._printable import LINES, printable, printable_json
from store_plugin.model import ChangeKind, KeyChange

Plain: TypeAlias = str | int | float | bool | Sequence["Plain"] | Mapping[str, "Plain"] | None
"""What JSON and YAML can say."""

_WIDE = 10_000
"""Columns where nobody looks at a terminal, so that nothing is cut or wrapped."""
_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.UPDATED: "~", ChangeKind.REMOVED: "-", ChangeKind.METADATA: "~"}


def emit(document: Plain, output: str) -> None:
    """Print a document as `json` or `yaml`."""
    if output == "json":
        click.echo(printable_json(json.dumps(document, indent=2, ensure_ascii=False)))
        return
    import yaml

    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if text != printable(text, LINES):
        text = yaml.safe_dump(document, sort_keys=False)
    click.echo(text, nl=False)


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "") -> None:
    """Print rows under headings, as plain text: nothing in a cell is taken for markup, or obeyed.
    Where there are none, `empty` tells people so on standard error, and what to do."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell, LINES)) for cell in row))
    on_terminal = sys.stdout.isatty()
    text = io.StringIO()
    Console(file=text, force_terminal=on_terminal, width=None if on_terminal else _WIDE).print(table)
    click.echo("\n".join(line.rstrip() for line in text.getvalue().splitlines()))
    if empty and not table.row_count:
        click.echo(empty, err=True)


def change_lines(changes: Iterable[KeyChange]) -> list[str]:
    """One line per change: `+ key`, `~ key`, `- key`, and metadata marked as such."""
    return [
        f"  {_SIGNS[change.kind]} {printable(change.key)}"
        + (" (metadata)" if change.kind is ChangeKind.METADATA else "")
        for change in changes
    ]


def changes_document(changes: Iterable[KeyChange]) -> Plain:
    """Changes for programs."""
    return [{"key": change.key, "change": change.kind.name} for change in changes]
