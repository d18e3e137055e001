"""How a store config is doing, for whoever runs the sidecar."""

from dataclasses import dataclass

from store_plugin.model import ConfigReference


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

    def as_json(self) -> dict[str, str | int | float | bool | None]:
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
        }
