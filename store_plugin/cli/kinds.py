"""`store-plugin kinds`: what is installed, told without importing any store."""

import click

from store_plugin.cli._extras import missing_extra
from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import output_option


@click.command()
@output_option()
def kinds(output: str) -> None:
    """List the kinds of store configs served here.

    A kind is served once the libraries of its extra are installed.
    """
    from store_plugin.store import served_kinds

    served = sorted(served_kinds().values(), key=lambda kind: (kind.kind, kind.api_version))
    found = [
        (kind.kind, kind.api_version, kind.entry_point.module, missing_extra(kind.entry_point))
        for kind in served
    ]
    if output == "table":
        rows = [(*row, f"missing: pip install '{missing}'" if missing else "yes") for *row, missing in found]
        emit_table(("KIND", "API VERSION", "STORE", "INSTALLED"), rows)
        return
    names = ("kind", "apiVersion", "store", "missing")
    emit([dict(zip(names, row, strict=True)) for row in found], output)
