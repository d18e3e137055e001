"""Which kinds of store configs cannot be used here because libraries are not installed, found out
without importing any store."""

import re
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution

_REQUIREMENT = re.compile(r"""(?P<name>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"](?P<extra>[^'"]+)['"]""")


def missing_extra(entry_point: EntryPoint) -> str | None:
    """`distribution[extra]` where libraries of the store's extra are not installed.

    The extra is named after the store's package; a distribution without such an extra
    needs nothing else.
    """
    if entry_point.dist is None:
        return None
    extra = entry_point.module.rpartition(".")[2]
    needed = [
        found["name"]
        for found in map(_REQUIREMENT.match, entry_point.dist.requires or ())
        if found and found["extra"] == extra
    ]
    return None if all(map(_is_installed, needed)) else f"{entry_point.dist.metadata['Name']}[{extra}]"


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
