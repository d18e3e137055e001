"""Which names a check tries its rights with: policies are often written for a few scopes, and
the config's own access rules tell which."""

from collections.abc import Iterator

from store_plugin.errors import InvalidRequest
from store_plugin.model import ScopedName
from store_plugin.spec import StoreSpec

SAMPLE = "store-plugin-check"
"""The last segment of every name that is tried; nothing is ever stored there."""
MOST_SCOPES = 10


def scopes_of(spec: StoreSpec) -> tuple[str, ...]:
    """The scopes that the access rules name in full, at most `MOST_SCOPES`; none where they
    only describe scopes, with `*`, or where there are no rules."""
    return tuple(dict.fromkeys(_in_full(spec)))[:MOST_SCOPES]


def in_scope(scope: str) -> str:
    """The name that is tried in a scope."""
    return f"{scope}/{SAMPLE}"


def _in_full(spec: StoreSpec) -> Iterator[str]:
    for rule in spec.access:
        for scope in rule.scopes or ():
            if "*" not in scope and _is_one(scope):
                yield scope


def _is_one(scope: str) -> bool:
    try:
        ScopedName.parse(in_scope(scope))
    except InvalidRequest:
        return False
    return True
