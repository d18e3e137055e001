"""Reading from Secrets Manager: the value and the tags are two calls, and what they tell is
put together only where it belongs together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from store_plugin.errors import StorePluginError
from store_plugin.model import ABSENT, Presence, Secret, StoredSecret, Version
from stores.aws import tags as aws_tags
from stores.aws.access.client import Answer
from stores.aws.secrets_manager import version_ids
from stores.aws.service import stored_as

CURRENT = "AWSCURRENT"
PENDING = "store-plugin/pending"
_NO_DOCUMENT = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A version's value."""

    version: str
    text: str = field(repr=False)
    age: float | None
    """In seconds, by the service's clock."""


@dataclass(frozen=True, slots=True)
class NoValue:
    """Why there is none: the secret is scheduled for deletion, or there is nothing."""

    code: str
    error: StorePluginError
    refused: bool
    """The secret is not in a state to be read, which mostly means scheduled for deletion."""


@dataclass(frozen=True, slots=True)
class About:
    """What the service knows around a secret's values."""

    current: str | None
    pending: str | None
    tags: Mapping[str, str]
    deleted: bool
    replicas: Mapping[str, str]
    """Status by region."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the service says of the status of a replica, by region."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the service holds beside the secret itself; travels as `StoredSecret.raw`."""

    text: str | None = field(default=None, repr=False)
    """The document; None: there is none, or it is dead."""
    about: About = About(None, None, {}, deleted=False, replicas={})


def value_from(answer: Answer) -> Value:
    """The answer to GetSecretValue."""
    text = answer.get("SecretString")
    if text is None:
        text = _decoded(answer.get("SecretBinary", b""))
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return Value(str(answer["VersionId"]), str(text), age_of(answer.get("CreatedDate"), date))


def about_from(answer: Answer) -> About:
    """The answer to DescribeSecret."""
    by_stage = {
        stage: version
        for version, stages in (answer.get("VersionIdsToStages") or {}).items()
        for stage in stages
    }
    return About(
        by_stage.get(CURRENT),
        by_stage.get(PENDING),
        aws_tags.from_answer(answer.get("Tags")),
        deleted=answer.get("DeletedDate") is not None,
        replicas={
            found["Region"]: found.get("Status", "") for found in answer.get("ReplicationStatus") or ()
        },
        said={
            found["Region"]: found.get("StatusMessage", "") for found in answer.get("ReplicationStatus") or ()
        },
    )


def put_together(
    value: Value | NoValue, about: About | None, of: str, fixed: Collection[str]
) -> StoredSecret | None:
    """The latest version; None where the two calls saw different states. `fixed` are the
    keys of tags that are no metadata."""
    if about is None:
        return ABSENT if isinstance(value, NoValue) and not value.refused else None
    if about.deleted:
        return _tombstone(about)
    if isinstance(value, NoValue):
        # Made by others, with a value to come.
        return None if value.refused or about.current else _present(None, about, of, fixed)
    if value.version != about.current:
        return None
    if (
        about.pending
        and about.pending != about.current
        and version_ids.replaces(about.pending, about.current)
    ):
        return _tombstone(about)
    return _present(value, about, of, fixed)


def version_of(value: Value, about: About, of: str, fixed: Collection[str]) -> StoredSecret:
    """A version, whatever the latest one is."""
    return _present(value, about, of, fixed)


def age_of(created: object, date: str | None) -> float | None:
    """Seconds from `created` to the answer, both by the service's clock."""
    try:
        answered = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return max(0.0, (answered - created).total_seconds()) if isinstance(created, datetime) else None


def _tombstone(about: About) -> StoredSecret:
    version = Version(about.current) if about.current else None
    return StoredSecret(Presence.TOMBSTONE, version=version, raw=Held(None, about))


def _present(value: Value | None, about: About, of: str, fixed: Collection[str]) -> StoredSecret:
    if value is None:
        secret = Secret({}, aws_tags.without(about.tags, fixed))
        return StoredSecret(Presence.PRESENT, secret, None, Held(None, about))
    dead_tags = value.version == about.current and version_ids.awaits_tags(value.version, about.tags)
    metadata = {} if dead_tags else aws_tags.without(about.tags, fixed)
    document = stored_as(value.text, of)
    return StoredSecret(
        Presence.PRESENT,
        Secret(document.values, metadata),
        Version(value.version),
        Held(document.text, about),
        value.age if dead_tags else None,
        document.unreadable,
    )


def _decoded(binary: bytes) -> str:
    """What is no text is no document either."""
    try:
        return binary.decode("utf-8")
    except UnicodeDecodeError:
        return _NO_DOCUMENT
