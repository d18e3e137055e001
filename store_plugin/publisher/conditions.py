"""What the publisher says about a Secret: one condition, in an annotation of the Secret.

An annotation, because it is the one object that has to be written anyway (the finalizer is
in it) and that every reader of the Secret sees; decision 0040.
"""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from store_plugin.errors import InvalidRequest
from store_plugin.model import ScopedName

_LONGEST = 700
"""Characters of a message that are kept."""


class Reason(StrEnum):
    """Why a Secret is as it is. docs/publisher.md has what to do about each."""

    PUBLISHED = "Published"
    KEPT = "Kept"
    FETCHED = "Fetched"
    INVALID_ANNOTATION = "InvalidAnnotation"
    KEY_MISSING = "KeyMissing"
    NAME_TAKEN = "NameTaken"
    NAME_REFUSED = "NameRefused"
    NOT_OWNER = "NotOwner"
    TOO_LARGE = "TooLarge"
    REFUSED = "Refused"
    STORE_CONFIG_MISSING = "StoreConfigMissing"
    STORE_CONFIG_INVALID = "StoreConfigInvalid"
    STORE_CONFIG_NOT_ALLOWED = "StoreConfigNotAllowed"
    STORE_INVALID = "StoreInvalid"
    ACCESS_DENIED = "AccessDenied"
    NOT_REACHABLE = "NotReachable"
    STORE_UNAVAILABLE = "StoreUnavailable"
    NOTHING_TO_FETCH = "NothingToFetch"
    SECRET_REFUSED = "SecretRefused"  # noqa: S105
    REMOVAL_BLOCKED = "RemovalBlocked"
    FAILED = "Failed"


GOOD = frozenset({Reason.PUBLISHED, Reason.KEPT, Reason.FETCHED})
"""Reasons of a condition that is true."""
TRANSIENT = frozenset({Reason.NOT_REACHABLE, Reason.STORE_UNAVAILABLE})
"""Reasons that go by themselves; they are told once they have lasted."""


class Refused(Exception):
    """A Secret cannot be published, filled or let go, for one of the reasons."""

    def __init__(
        self, reason: Reason, message: str, retry_after: float | None = None, *, away: bool = False
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """Seconds to wait at least, where the other side has said so."""
        self.away = away
        """Whether other Secrets of the same StoreConfig would fare the same."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a Secret is published to: a StoreConfig, and the scoped name in its store."""

    store_config: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} of StoreConfig {self.store_config}"


@dataclass(frozen=True, slots=True)
class Place:
    """What a Target means now: the same for all StoreConfigs that lead to one store config."""

    store: Hashable
    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`kind` is Published or Fetched. `target`: what is published now, whatever is wrong since."""

    kind: str
    reason: Reason
    message: str = ""
    target: Target | None = None
    since: str = ""
    """When the status last changed, as in other conditions of Kubernetes."""
    leaving: Target | None = None
    """Where it was published before, as long as that is still to be removed."""

    @property
    def good(self) -> bool:
        return self.reason in GOOD

    def following(self, before: "Condition | None") -> "Condition":
        """The same, with the time that it holds since."""
        if before is not None and (before.kind, before.good) == (self.kind, self.good) and before.since:
            return replace(self, since=before.since)
        return replace(self, since=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))

    def says_more_than(self, before: "Condition | None") -> bool:
        """Whether it is worth a write."""
        if before is None:
            return True
        if self._matter != before._matter:
            return True
        return self.reason not in TRANSIENT and self.message[:_LONGEST] != before.message

    @property
    def _matter(self) -> object:
        return self.kind, self.reason, self.target, self.leaving

    def written(self) -> str:
        """The annotation's value."""
        said: dict[str, object] = {"type": self.kind, "status": str(self.good), "reason": self.reason}
        if self.message:
            said["message"] = self.message[:_LONGEST]
        if self.target is not None:
            said |= _place(self.target)
        if self.leaving is not None:
            said |= {"leaving": _place(self.leaving)}
        return json.dumps(said | {"lastTransitionTime": self.since}, ensure_ascii=True)

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """The condition in an annotation; None where there is none, or somebody else's."""
        try:
            said = json.loads(text or "")
            return cls(
                _text(said, "type"),
                Reason(_text(said, "reason")),
                _text(said, "message"),
                _target(said),
                _text(said, "lastTransitionTime"),
                _target(said.get("leaving") or {}),
            )
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None


def _place(target: Target) -> dict[str, str]:
    return {"storeConfig": target.store_config, "name": target.name}


def _target(said: Mapping[str, object]) -> Target | None:
    """None also for what is no name: the publisher never wrote it."""
    store_config, name = _text(said, "storeConfig"), _text(said, "name")
    try:
        ScopedName.parse(name)
    except InvalidRequest:
        return None
    return Target(store_config, name) if store_config else None


def _text(said: Mapping[str, object], field: str) -> str:
    return str(said.get(field, ""))
