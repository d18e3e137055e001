"""Where below the mount a secret lies: `pathPrefix`, then its scoped name.

The whole name stays at the end of the path. So no two names ever meet, whatever the prefix,
and another config finds the same secrets from the mount up.
"""

from collections.abc import Callable

from store_plugin.model import ScopedName
from stores.vault.scope import filled, has_scope, scope_in, scope_of

PathOf = Callable[[ScopedName], str]
"""The path of a secret below its mount, not quoted. InvalidRequest for a name that has none."""


def path_of(prefix: str) -> PathOf:
    """How a config with this `pathPrefix` lays its secrets out."""
    if not prefix:
        return str
    if has_scope(prefix):
        return lambda name: f"{filled(prefix, scope_of(name))}/{name}"
    return lambda name: f"{prefix}/{name}"


def folder_of(prefix: str, scope: str) -> Callable[[str], str]:
    """The path of a folder of scoped names that is below `scope` (`""`: anywhere)."""
    start = filled(prefix, scope_in(scope)) if has_scope(prefix) else prefix
    return lambda folder: "/".join(filter(None, (start, folder)))


def pattern_of(prefix: str, pattern: str) -> str:
    """The path in a policy for a pattern of scoped names, such as `team-a/*`. Where it names
    no scope, `+` stands for every one."""
    scope, slash, _ = pattern.partition("/")
    start = filled(prefix, scope if slash else "+")
    return f"{start}/{pattern}" if start else pattern
