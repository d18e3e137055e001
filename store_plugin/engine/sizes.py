"""Whether a store can hold a secret, told before anything is written."""

from collections.abc import Collection

from store_plugin.errors import TooLarge
from store_plugin.model import (
    MAX_KEY_BYTES,
    MAX_KEYS,
    MAX_METADATA_BYTES,
    MAX_METADATA_ENTRIES,
    ScopedName,
    Secret,
    text_bytes,
)
from store_plugin.store import Capabilities


def check_size(name: ScopedName, secret: Secret, capabilities: Capabilities) -> None:
    """TooLarge where the secret as it would be stored exceeds what the store can hold."""
    metadata, limits = secret.metadata, capabilities.limits
    most_entries = _least(limits.metadata_entries, MAX_METADATA_ENTRIES) if capabilities.metadata else 0
    found = (
        ("bytes of data", secret.size, limits.data_bytes),
        ("keys", len(secret.data), _least(limits.keys, MAX_KEYS)),
        ("bytes in the names of its keys", sum(map(len, secret.data)), MAX_KEY_BYTES),
        ("metadata entries", len(metadata), most_entries),
        ("bytes of metadata", text_bytes(metadata), MAX_METADATA_BYTES),
        ("bytes in a metadata key", _longest(metadata.keys()), limits.metadata_key_bytes),
        ("bytes in a metadata value", _longest(metadata.values()), limits.metadata_value_bytes),
    )
    for what, size, limit in found:
        if limit is not None and size > limit:
            raise TooLarge(f"secret {name} would have {size} {what}; the store holds at most {limit}")


def _least(of_store: int | None, of_all: int) -> int:
    """The store's own limit, never above the one that all have."""
    return of_all if of_store is None else min(of_store, of_all)


def _longest(texts: Collection[str]) -> int:
    return max((len(text.encode()) for text in texts), default=0)
