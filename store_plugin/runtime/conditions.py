"""Conditions in the status of an owner, as Kubernetes and Crossplane mean them.

A status is only written when a condition says something new: an operator that reports on
every pass would wake itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from store_plugin.errors import StorePluginError

_LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: `status` is True, False, or None where it is unknown."""

    type: str
    status: bool | None
    reason: str
    message: str = ""


def available() -> Condition:
    """The object is there and may be used."""
    return Condition("Ready", True, "Available")


def unavailable(message: str = "") -> Condition:
    """The object is not there, or not usable."""
    return Condition("Ready", False, "Unavailable", message)


def deleting() -> Condition:
    """The object is about to go."""
    return Condition("Ready", False, "Deleting")


def reconciled() -> Condition:
    """The last pass did what it had to, publishing included."""
    return Condition("Synced", True, "ReconcileSuccess")


def failed(error: StorePluginError) -> Condition:
    """The last pass failed with this error. Its message holds no secret value."""
    return Condition("Synced", False, "ReconcileError", error.message[:_LONGEST_MESSAGE])


def with_conditions(
    existing: Iterable[Mapping[str, Any]] | None,
    *news: Condition,
    generation: int | None = None,
    now: datetime | None = None,
) -> list[dict[str, Any]] | None:
    """`status.conditions` with the news in it; None where they say nothing new.

    `lastTransitionTime` changes with the status only. `generation` is the object's
    `metadata.generation` that the pass has seen.
    """
    before = [dict(one) for one in existing or ()]
    after = {one["type"]: one for one in before}
    for condition in news:
        entry = _entry(condition, after.get(condition.type), generation, now or datetime.now(UTC))
        after[condition.type] = entry
    return None if list(after.values()) == before else list(after.values())


def _entry(
    condition: Condition, before: Mapping[str, Any] | None, generation: int | None, now: datetime
) -> dict[str, Any]:
    status = "Unknown" if condition.status is None else str(condition.status)
    since = before["lastTransitionTime"] if before and before["status"] == status else None
    entry: dict[str, Any] = {
        "type": condition.type,
        "status": status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": since or now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return entry if generation is None else {**entry, "observedGeneration": generation}
