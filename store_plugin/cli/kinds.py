"""`store-plugin kinds`: what is installed, told without importing any store."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import click

from store_plugin.cli._output import emit, emit_table
from store_plugin.cli._parameters import output_option

_REQUIREMENT = re.compile(r"""(?P<name>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"](?P<extra>[^'"]+)['"]""")


@click.command()
@output_option()
def kinds(output: str) -> None:
    """List the kinds of store configs served here.

    A kind is served once the libraries of its extra are installed.
    """
    from store_plugin.store import served_kinds

    served = sorted(served_kinds().values(), key=lambda kind: (kind.kind, kind.api_version))
    found = []
    for kind in served:
        missing = _missing_extra(kind.entry_point.dist, kind.entry_point.module)
        found.append((kind.kind, kind.api_version, kind.entry_point.module, missing))
    if output == "table":
        rows = [(*row, f"missing: pip install '{missing}'" if missing else "yes") for *row, missing in found]
        emit_table(("KIND", "API VERSION", "STORE", "INSTALLED"), rows)
        return
    names = ("kind", "apiVersion", "store", "missing")
    emit([dict(zip(names, row, strict=True)) for row in found], output)


def _missing_extra(dist: Distribution | None, module: str) -> str | None:
    """`distribution[extra]` where libraries of the store's extra are not installed.

    The extra is named after the store's package; a distribution without such an extra
    needs nothing else.
    """
    if dist is None:
        return None
    extra = module.rpartition(".")[2]
    needed = [
        found["name"]
        for found in map(_REQUIREMENT.match, dist.requires or ())
        if found and found["extra"] == extra
    ]
    return None if all(map(_is_installed, needed)) else f"{dist.metadata['Name']}[{extra}]"


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
