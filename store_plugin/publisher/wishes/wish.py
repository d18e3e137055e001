"""What a Secret asks for, read from its annotations with the publisher's defaults."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from store_plugin.errors import InvalidRequest
from store_plugin.publisher.conditions import Reason, Refused, Target
from store_plugin.publisher.wishes import names
from store_plugin.publisher.wishes.annotations import (
    DELETION_POLICY,
    FETCH_FROM,
    KEYS,
    PUBLISH_TO,
    REFRESH_INTERVAL,
    REMOTE_NAME,
    UPDATE_POLICY,
)
from store_plugin.publisher.wishes.keys import KeyMapping
from store_plugin.spec import parse_duration

CONNECTION_TYPE = "connection.crossplane.io/v1alpha1"
_STORE_CONFIG = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\Z")
_NAMESPACE = "{namespace}"
_SHORTEST, _LONGEST = 10.0, 30 * 24 * 3600.0
"""Seconds between two fetches of one Secret."""


class Direction(StrEnum):
    """Which way the keys go; also the type of the condition."""

    PUBLISH = "Published"
    FETCH = "Fetched"


class UpdatePolicy(StrEnum):
    """What happens to what is on the other side."""

    OVERWRITE = "Overwrite"
    """Keys are written over; others stay."""
    IF_NOT_EXISTS = "IfNotExists"
    """What is there stays as it is."""
    MIRROR = "Mirror"
    """As Overwrite, and keys that are gone here go there."""


class DeletionPolicy(StrEnum):
    """What happens to the secret in the store when the Secret goes."""

    RETAIN = "Retain"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a Secret without its values."""

    namespace: str
    name: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    type: str

    def asks(self, word: str) -> str | None:
        """The annotation, or else the label."""
        return self.annotations.get(word, self.labels.get(word))


@dataclass(frozen=True, slots=True)
class Defaults:
    """For what a Secret does not say."""

    store_config: str | None = None
    """For connection Secrets; `{namespace}` in it stands for the Secret's. None: they are left alone."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    refresh_interval: float = 3600.0


@dataclass(frozen=True, slots=True)
class Wish:
    """One Secret's."""

    direction: Direction
    target: Target
    keys: KeyMapping
    update_policy: UpdatePolicy
    deletion_policy: DeletionPolicy
    refresh_interval: float


def read_wish(head: Head, defaults: Defaults) -> Wish | None:
    """What the Secret asks for; None: nothing. Refused names the annotation that is wrong."""
    publish_to, fetch_from = _publish_to(head, defaults), head.asks(FETCH_FROM)
    if not publish_to and not fetch_from:
        return None
    if publish_to and fetch_from:
        raise _invalid(FETCH_FROM, f"stands beside {PUBLISH_TO}: take one of them away")
    direction, word = (Direction.PUBLISH, PUBLISH_TO) if publish_to else (Direction.FETCH, FETCH_FROM)
    template = head.annotations.get(REMOTE_NAME, names.DEFAULT)
    return Wish(
        direction,
        Target(
            _store_config(word, publish_to or fetch_from or ""),
            names.remote_name(template, head.namespace, head.name, head.labels),
        ),
        KeyMapping.parse(head.annotations[KEYS]) if KEYS in head.annotations else KeyMapping(),
        _policy(head, UPDATE_POLICY, UpdatePolicy.OVERWRITE),
        deletion_policy(head, defaults),
        _refresh_interval(head, defaults),
    )


def default_store_config(text: str) -> str:
    """What `--default-store-config` may be. InvalidRequest where no Secret could have such a one."""
    if not _STORE_CONFIG.match(text.replace(_NAMESPACE, "x")):
        raise InvalidRequest(f"{text!r} is not the name of a StoreConfig, with {_NAMESPACE} in it or without")
    return text


def deletion_policy(head: Head, defaults: Defaults) -> DeletionPolicy:
    """What is to happen when the Secret goes, whatever else it asks for."""
    return _policy(head, DELETION_POLICY, defaults.deletion_policy)


def _publish_to(head: Head, defaults: Defaults) -> str | None:
    asked = head.asks(PUBLISH_TO)
    if asked is not None or head.type != CONNECTION_TYPE or defaults.store_config is None:
        return asked
    return None if head.asks(FETCH_FROM) else defaults.store_config.replace(_NAMESPACE, head.namespace)


def _store_config(word: str, name: str) -> str:
    if not _STORE_CONFIG.match(name):
        raise _invalid(word, "is not the name of a StoreConfig")
    return name


PolicyT = TypeVar("PolicyT", bound=StrEnum)


def _policy(head: Head, word: str, default: PolicyT) -> PolicyT:
    text = head.annotations.get(word, default)
    try:
        return type(default)(text)
    except ValueError:
        raise _invalid(word, f"is one of {', '.join(type(default))}") from None


def _refresh_interval(head: Head, defaults: Defaults) -> float:
    text = head.annotations.get(REFRESH_INTERVAL)
    if text is None:
        return defaults.refresh_interval
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise _invalid(REFRESH_INTERVAL, f"cannot be read: {error}") from None
    if not isinstance(seconds, float) or not _SHORTEST <= seconds <= _LONGEST:
        raise _invalid(REFRESH_INTERVAL, "is 10s at least and 720h at most")
    return seconds


def _invalid(word: str, what: str) -> Refused:
    return Refused(Reason.INVALID_ANNOTATION, f"the annotation {word} {what}")
