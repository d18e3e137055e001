"""Who may use which scopes of a config: `spec.access`, enforced on every verb.

A scope is a scoped name without its last segment. `*` in a pattern stands for any
characters but `/`, so that `team-*` never reaches into `team-a/private`.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from store_plugin.errors import ScopeNotAllowed
from store_plugin.model import ConfigReference, ScopedName
from store_plugin.spec import StoreSpec

_MOST_SHOWN = 3


def check_access(
    spec: StoreSpec, config: ConfigReference, callers: Collection[str], name: ScopedName
) -> None:
    """Raise ScopeNotAllowed unless a rule of the config lets the caller use the name's scope.

    `callers` are the names of one caller: the SANs of its certificate, or `local`. A
    config without rules is open to everyone.
    """
    if not spec.access:
        return
    scope = name.scope
    for rule in spec.access:
        if _matches(rule.scopes, (scope,)) and _matches(rule.callers, callers):
            return
    raise ScopeNotAllowed(
        f"{config} does not allow {_scope_shown(scope)} for caller {_callers_shown(callers)}; "
        f"its spec.access tells what it allows",
        metadata={"config": str(config), "scope": scope},
    )


def _matches(patterns: tuple[str, ...] | None, texts: Collection[str]) -> bool:
    """Whether a pattern stands for the whole of a text; no patterns stand for any."""
    return patterns is None or any(_compiled(pattern).match(text) for pattern in patterns for text in texts)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(map(re.escape, pattern.split("*"))) + r"\Z")


def _scope_shown(scope: str) -> str:
    return f"scope {scope}" if scope else "a name without a scope"


def _callers_shown(callers: Collection[str]) -> str:
    """Names come out of certificates: quoted, and not all of many."""
    names = sorted(callers)
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(map(repr, names[:_MOST_SHOWN])) + more if names else "without a name"
