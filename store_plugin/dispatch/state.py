"""How a store config is doing, for whoever runs the sidecar."""

from collections import Counter
from dataclasses import dataclass, field

from store_plugin.config.table import ConfigStatus
from store_plugin.dispatch.guards.observer import GuardState
from store_plugin.model import ConfigReference

READY = "Ready"
FAILING = "Failing"


def state_of(status: ConfigStatus) -> str:
    """The state of a config whose store does not fail."""
    return READY if status is ConfigStatus.VALID else status.value


@dataclass(frozen=True, slots=True)
class Counts:
    """How many configs there are of each (kind, state), and open stores of each kind."""

    configs: Counter[tuple[str, str]]
    open_stores: Counter[str]
    breakers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Open stores of each (kind, state of the breaker)."""
    in_flight: Counter[str] = field(default_factory=Counter)
    """Calls to open stores of each kind."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Calls that wait for their turn at open stores of each kind."""

    @property
    def broken(self) -> int:
        """Configs that something is wrong with."""
        return sum(number for (_, state), number in self.configs.items() if state != READY)


@dataclass(frozen=True, slots=True)
class ConfigState:
    """One config as `/configs`, the readiness probe and the metrics show it.

    `state` is `Ready`, `Failing` (its store could not be opened, or the last call to it
    failed), `Stale` (its manifest is invalid now, the last good one is in use) or
    `Invalid` (there never was a good one). Times are seconds since the epoch.
    """

    reference: ConfigReference
    generation: int
    state: str
    source: str
    """Where it is declared: `file.yaml:12`."""
    last_error: str | None
    """What is wrong now; None when all is well."""
    open: bool
    leases: int
    last_error_at: float | None = None
    last_success_at: float | None = None
    retry_at: float | None = None
    """When its store is asked again (its next login, say), where a call failed and said so."""
    guards: GuardState | None = None
    """Around the open store."""

    def as_json(self) -> dict[str, object]:
        """Ready for `json.dumps`."""
        return {
            "api_version": self.reference.api_version,
            "kind": self.reference.kind,
            "name": self.reference.name,
            "generation": self.generation,
            "state": self.state,
            "source": self.source,
            "last_error": self.last_error,
            "open": self.open,
            "leases": self.leases,
            "last_error_at": self.last_error_at,
            "last_success_at": self.last_success_at,
            "retry_at": self.retry_at,
            "guards": None if self.guards is None else self.guards.as_json(),
        }
