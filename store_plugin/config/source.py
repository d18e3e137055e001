"""What a source of store configs is for the rest of the sidecar, and how well it follows."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from store_plugin.config.declarations import Problem
from store_plugin.config.kinds import KindName
from store_plugin.model import ConfigReference
from store_plugin.watching.state import WatchState


@dataclass(frozen=True, slots=True)
class SourceState:
    """How well a source is followed."""

    watches: tuple[WatchState, ...]

    @property
    def synced(self) -> bool:
        return all(watch.synced for watch in self.watches)

    @property
    def behind(self) -> float:
        """Seconds, of the part that is furthest behind."""
        return max((watch.behind for watch in self.watches), default=0.0)


class ConfigSource(Protocol):
    """Keeps a ConfigTable as configs are declared somewhere."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong now."""
        ...

    @property
    def state(self) -> SourceState: ...

    def generation(self, reference: ConfigReference) -> int:
        """Of the config's object, as an API server counts it; 0 where there is none."""
        ...

    async def load(self) -> None:
        """Fill the table for the first time; waits as long as nothing can be told."""
        ...

    def kinds_changed(self, kinds: Collection[KindName]) -> None:
        """Kinds came, or have other models now: their configs are to be read again."""
        ...

    async def run(self) -> None:
        """Follow changes until cancelled."""
        ...
