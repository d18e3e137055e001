"""What the pool gives out: a lease on an open store, which keeps the store open."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from store_plugin.config.table import LoadedConfig
from store_plugin.dispatch.failures import told
from store_plugin.dispatch.guards.guarded import GuardedStore
from store_plugin.dispatch.guards.observer import GuardState
from store_plugin.dispatch.observed import Health, ObservedStore
from store_plugin.engine import Engine
from store_plugin.spec import StoreSpec


@dataclass(frozen=True, slots=True)
class OpenStore:
    """An open store and the rules over it."""

    engine: Engine
    store: ObservedStore
    guarded: GuardedStore
    """Around `store`; what the engine calls, and what is closed."""


@dataclass(slots=True, eq=False)
class Entry:
    """One generation of a config in the pool, which alone changes it."""

    config: LoadedConfig
    opened: OpenStore | None = None
    opening: "asyncio.Task[None] | None" = None
    failure: Exception | None = None
    retry_at: float = 0.0
    leases: int = 0
    """Of requests that use the store or wait for it."""
    retired: bool = False

    @property
    def idle(self) -> bool:
        return not self.leases and self.opening is None

    @property
    def health(self) -> Health | None:
        """Of the open store."""
        return self.opened.store.health if self.opened is not None else None

    @property
    def guards(self) -> GuardState | None:
        """Around the open store."""
        return self.opened.guarded.guards if self.opened is not None else None

    @property
    def problem(self) -> str | None:
        """Why the store cannot be opened, what its last call failed with, or why it is left
        alone; None: well."""
        if self.opened is not None:
            health = self.opened.store.health
            return health.last_error if health.failing else self.opened.guarded.problem
        return None if self.failure is None else told(self.failure)


class Lease:
    """The right to use an open store until the `with` block ends."""

    __slots__ = ("_entry", "_release", "config", "engine", "spec")

    def __init__(
        self, entry: Entry, opened: OpenStore, spec: StoreSpec, release: Callable[[Entry], None]
    ) -> None:
        self.config = entry.config
        self.engine = opened.engine
        self.spec = spec
        self._entry: Entry | None = entry
        self._release = release

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entry is not None:
            entry, self._entry = self._entry, None
            self._release(entry)
