"""The kinds that manifests may be of: what readers of configs ask of them.

Kinds may come while the process runs, with the plugins that bring them. A config of such a
kind is no mistake of its author, so it is told apart from one that nobody will ever serve.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Protocol, TypeAlias, runtime_checkable

from store_plugin.model import plural_of
from store_plugin.store import StoreFactory

KindName: TypeAlias = tuple[str, str]
"""(apiVersion, kind)."""


class LoadableKind(Protocol):
    """A served kind whose store can be imported, as `store_plugin.store.ServedKind`."""

    def load(self) -> StoreFactory[Any]: ...


Kinds: TypeAlias = Mapping[KindName, LoadableKind]
"""The served kinds."""


@runtime_checkable
class GrowingKinds(Protocol):
    """Kinds that plugins add to, as `store_plugin.hub.store_kinds.kinds.Kinds`."""

    def may_come(self, api_version: str, kind: str) -> bool:
        """Whether a plugin may bring this kind, and none has."""
        ...

    def plural(self, api_version: str, kind: str) -> str | None:
        """The plural that a plugin gave its kind; None: the usual one."""
        ...


def may_come(kinds: Kinds, api_version: str, kind: str) -> bool:
    """Whether the kind is not served and may be later, without a restart."""
    return isinstance(kinds, GrowingKinds) and kinds.may_come(api_version, kind)


def plural_in(kinds: Kinds, api_version: str, kind: str) -> str:
    """How the API server's paths spell the kind."""
    given = kinds.plural(api_version, kind) if isinstance(kinds, GrowingKinds) else None
    return given or plural_of(kind)


def spelled_like(kind: str, known: Iterable[str]) -> str | None:
    """The one of the known kinds that somebody who wrote `kind` may have meant."""
    return next(iter(get_close_matches(kind, sorted(set(known)), n=1, cutoff=0.75)), None)


def awaited(kind: str) -> str:
    """What is told of a kind that may come."""
    return f"{kind} is served once a plugin that brings this kind connects"
