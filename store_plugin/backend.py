"""SecretBackend's messages and the model: what hub and plugin both need to speak it.

docs/wire.md, "SecretBackend".
"""

from store_plugin._proto import backend_pb2 as proto
from store_plugin.errors import InvalidRequest
from store_plugin.model import (
    MAX_DATA_BYTES,
    Presence,
    ScopedName,
    Secret,
    StoredSecret,
    Version,
)
from store_plugin.store import Capabilities, Limits
from store_plugin.stream.frames import duration, seconds

SERVICE = proto.DESCRIPTOR.services_by_name["SecretBackend"].full_name

_PRESENCES = {
    Presence.PRESENT: proto.PRESENT,
    Presence.ABSENT: proto.ABSENT,
    Presence.TOMBSTONE: proto.TOMBSTONE,
}
_PRESENCES_FROM = {number: presence for presence, number in _PRESENCES.items()}


def method(name: str) -> str:
    """The full name of a method of SecretBackend."""
    return f"/{SERVICE}/{name}"


def stored_to(stored: StoredSecret, state: bytes) -> proto.StoredSecret:
    """What was read, with the note (`state`) that stands for its `raw`."""
    return proto.StoredSecret(
        presence=_PRESENCES[stored.presence],
        secret=secret_to(stored.secret),
        version=stored.version or "",
        state=state,
        unfinished_age=None if stored.unfinished_age is None else duration(stored.unfinished_age),
    )


def stored_from(message: proto.StoredSecret) -> StoredSecret:
    """What was read, with the note as `raw`. InvalidRequest where it does not say whether
    anything is there."""
    presence = _PRESENCES_FROM.get(message.presence)
    if presence is None:
        raise InvalidRequest("the message does not say whether the secret is present")
    age = seconds(message.unfinished_age) if message.HasField("unfinished_age") else None
    return StoredSecret(
        presence, secret_from(message.secret), version_from(message.version), message.state, age
    )


def secret_to(secret: Secret) -> proto.Secret:
    """Data and metadata."""
    return proto.Secret(data=secret.data, metadata=secret.metadata)


def secret_from(message: proto.Secret) -> Secret:
    """Data and metadata, unchecked."""
    return Secret(dict(message.data), dict(message.metadata))


def version_from(text: str) -> Version | None:
    """Empty on the wire: none."""
    return Version(text) if text else None


def name_from(text: str) -> ScopedName:
    """InvalidRequest where it is none."""
    return ScopedName.parse(text)


def capabilities_to(capabilities: Capabilities) -> proto.Capabilities:
    """All but listing, which SecretBackend does not have."""
    limits = capabilities.limits
    return proto.Capabilities(
        compare_and_set=capabilities.compare_and_set,
        conditional_delete=capabilities.conditional_delete,
        versions=capabilities.versions,
        metadata=capabilities.metadata,
        tombstones=capabilities.tombstones,
        max_data_bytes=limits.data_bytes,
        max_keys=limits.keys or 0,
        max_metadata_entries=limits.metadata_entries or 0,
        max_metadata_key_bytes=limits.metadata_key_bytes or 0,
        max_metadata_value_bytes=limits.metadata_value_bytes or 0,
    )


def capabilities_from(message: proto.Capabilities) -> Capabilities:
    """No listing: SecretBackend has none."""
    limits = Limits(
        data_bytes=min(message.max_data_bytes or MAX_DATA_BYTES, MAX_DATA_BYTES),
        keys=message.max_keys or None,
        metadata_entries=message.max_metadata_entries or None,
        metadata_key_bytes=message.max_metadata_key_bytes or None,
        metadata_value_bytes=message.max_metadata_value_bytes or None,
    )
    return Capabilities(
        compare_and_set=message.compare_and_set,
        conditional_delete=message.conditional_delete,
        versions=message.versions,
        metadata=message.metadata,
        tombstones=message.tombstones,
        limits=limits,
    )
