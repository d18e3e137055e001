"""How well something is followed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchState:
    """How well one collection, one object or one directory is followed."""

    what: str
    """`VaultConfigs`, `Secret vault/login`, or a directory."""
    synced: bool
    behind: float
    """Seconds for which it may have changed without our knowing; 0 while synced."""
    problem: str | None = None
    known: bool = True
    """Whether there ever was an answer; what it said serves until the next one."""
