"""What the guards tell the metrics, and what `/configs` asks them."""

from dataclasses import asdict, dataclass
from typing import Protocol

from store_plugin.dispatch.guards.breaker import BreakerState


class GuardObserver(Protocol):
    """Told of each call that a guard refused or repeats. Kinds, reasons and verbs are few."""

    def store_call_refused(self, kind: str, reason: str) -> None: ...

    def store_call_repeated(self, kind: str, verb: str) -> None: ...


class Unobserved:
    """A GuardObserver that nobody asks."""

    def store_call_refused(self, kind: str, reason: str) -> None:
        """Nothing to do."""

    def store_call_repeated(self, kind: str, verb: str) -> None:
        """Nothing to do."""


@dataclass(frozen=True, slots=True)
class GuardState:
    """The guards of one open store at this moment."""

    breaker: BreakerState
    probe_at: float | None
    """From when on a probe is let through, in seconds since the epoch; None: closed."""
    in_flight: int
    waiting: int
    slots: int
    """Calls that may be under way at present: fewer than `maxConcurrent` where the store
    asked us to slow down."""
    refused: int
    repeated: int

    def as_json(self) -> dict[str, str | int | float | None]:
        """Ready for `json.dumps`."""
        return {**asdict(self), "breaker": self.breaker.value}
