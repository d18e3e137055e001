"""What an apply or a delete makes of a secret, and which of its keys that changes."""

from collections.abc import Collection
from dataclasses import replace

from store_plugin.model import ChangeKind, KeyChange, Secret


def merge(existing: Secret, request: Secret) -> Secret:
    """`request` over `existing`, data and metadata; nothing is removed."""
    return Secret({**existing.data, **request.data}, {**existing.metadata, **request.metadata})


def without(existing: Secret, keys: Collection[str]) -> Secret:
    """`existing` without `keys`; no keys: without any data."""
    remaining = {key: value for key, value in existing.data.items() if keys and key not in keys}
    return replace(existing, data=remaining)


def differences(before: Secret, after: Secret) -> tuple[KeyChange, ...]:
    """The keys and metadata entries that differ, in order."""
    changes = [KeyChange(key, ChangeKind.REMOVED) for key in before.data.keys() - after.data.keys()]
    for key, value in after.data.items():
        if key not in before.data:
            changes.append(KeyChange(key, ChangeKind.ADDED))
        elif before.data[key] != value:
            changes.append(KeyChange(key, ChangeKind.UPDATED))
    for key, text in after.metadata.items():
        if before.metadata.get(key) != text:
            changes.append(KeyChange(key, ChangeKind.METADATA))
    return tuple(sorted(changes, key=lambda change: (change.key, change.kind.value)))
