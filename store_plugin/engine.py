"""Every rule about secrets, once, over any store.

get, apply and delete as docs/semantics.md tells them: additive merge, ownership, partial
delete, empty secrets, dry run, and a lost race tried again until the deadline.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar

from store_plugin.errors import Conflict, InvalidRequest, NotOwner, TooLarge, VersionNotFound
from store_plugin.joined import JoinedReads
from store_plugin.model import (
    MAX_KEY_BYTES,
    MAX_KEYS,
    MAX_METADATA_BYTES,
    MAX_METADATA_ENTRIES,
    NO_SECRET,
    Applied,
    ChangeKind,
    KeyChange,
    ScopedName,
    Secret,
    StoredSecret,
    Version,
    text_bytes,
)
from store_plugin.store import Capabilities, Store

T = TypeVar("T")

SETTLE_SECONDS = 10.0
"""How long the creator of a secret has to write its owner label after its data."""
_FIRST_BACKOFF = 0.005
_LONGEST_BACKOFF = 0.5


class OwnershipPolicy(Enum):
    """What happens when the owner label of the request and of the secret differ."""

    ENFORCE = "Enforce"
    ADOPT = "Adopt"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a config decides about the rules."""

    ownership: OwnershipPolicy = OwnershipPolicy.ENFORCE
    require_owner_on_delete: bool = False
    keep_existing: bool = False
    """updatePolicy IfNotExists: an apply leaves an existing secret as it is."""


class LocationLocks:
    """A lock per place where a secret lives, shared by all engines of a process: its
    writers queue instead of racing each other, also across a swap of the store."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, location: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(location, (None, 0))
        lock = lock or asyncio.Lock()
        self._locks[location] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[location]
            if users == 1:
                del self._locks[location]
            else:
                self._locks[location] = lock, users - 1

    def __len__(self) -> int:
        return len(self._locks)


class Engine:
    """The rules over one open store. Deadlines are times of the running event loop."""

    def __init__(
        self,
        store: Store,
        rules: Rules,
        locks: LocationLocks,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.store = store
        self._rules = rules
        self._locks = locks
        self._latest = JoinedReads(store.read)
        self._sleep = sleep
        self._clock = clock or asyncio.get_running_loop().time

    async def get(self, name: ScopedName, *, version: Version | None = None) -> StoredSecret:
        """The secret as stored; an absent one and a tombstone come back empty.

        VersionNotFound for a version that is not there.
        """
        if not version:
            return await self._latest.read(name)
        if not self.store.capabilities.versions:
            raise InvalidRequest("this store keeps no versions: leave options.version empty")
        stored = await self.store.read(name, version)
        if not stored.present:
            raise VersionNotFound(f"secret {name} has no version {version}")
        return stored

    async def apply(
        self,
        name: ScopedName,
        request: Secret,
        *,
        deadline: float,
        dry_run: bool = False,
        if_version: Version | None = None,
    ) -> Applied:
        """Merge data and metadata into a secret.

        NotOwner, TooLarge, Conflict (if_version differs, or the race was lost until the
        deadline), and what the store raises.
        """
        if if_version and not self.store.capabilities.compare_and_set:
            raise InvalidRequest("this store has no compare-and-set: leave options.if_version empty")

        async def once() -> Applied:
            stored = await self.store.read(name)
            _check_version(name, stored, if_version)
            self._check_owner_of_apply(name, stored, request)
            existing = stored.secret if stored.present else Secret()
            merged = _merge(existing, request)
            changes = _differences(existing, merged)
            if stored.present and (self._rules.keep_existing or not changes):
                return Applied(False, (), stored.version)
            _check_size(name, merged, self.store.capabilities)
            if dry_run:
                return Applied(True, changes, None)
            return Applied(True, changes, await self.store.write(name, merged, base=stored))

        if dry_run:
            return await self._until_won(name, deadline, once)
        async with self._locks.hold(self.store.location(name)):
            return await self._until_won(name, deadline, once, retry=if_version is None)

    async def delete(
        self,
        name: ScopedName,
        keys: Collection[str],
        *,
        deadline: float,
        owner: str | None = None,
        keep_empty: bool = False,
        dry_run: bool = False,
    ) -> tuple[KeyChange, ...]:
        """Remove `keys`, or the whole secret where there are none; with the last key the
        secret goes too, unless `keep_empty`. What is not there is not an error.

        NotOwner, Conflict (the race was lost until the deadline), and what the store raises.
        """

        async def once() -> tuple[KeyChange, ...]:
            stored = await self.store.read(name)
            if not stored.present:
                return ()
            self._check_owner_of_delete(name, stored, owner)
            remaining = _without(stored.secret, keys)
            changes = _differences(stored.secret, remaining)
            if not changes and (keys or keep_empty):
                return ()
            if dry_run:
                return changes
            if remaining.data or keep_empty:
                await self.store.write(name, remaining, base=stored)
            else:
                await self.store.delete(name, base=stored)
            return changes

        if dry_run:
            return await self._until_won(name, deadline, once)
        async with self._locks.hold(self.store.location(name)):
            return await self._until_won(name, deadline, once)

    async def _until_won(
        self,
        name: ScopedName,
        deadline: float,
        once: Callable[[], Awaitable[T]],
        *,
        retry: bool = True,
    ) -> T:
        """Repeat `once` while it loses the race and another try fits into the deadline."""
        backoff = _FIRST_BACKOFF
        while True:
            started = self._clock()
            try:
                return await once()
            except Conflict as conflict:
                now = self._clock()
                pause = random.uniform(backoff / 2, backoff)
                if not retry:
                    raise
                if now + pause + (now - started) >= deadline:
                    raise Conflict(
                        f"secret {name} kept changing until the deadline; try again", retry_after=1.0
                    ) from conflict
            await self._sleep(pause)
            backoff = min(backoff * 2, _LONGEST_BACKOFF)

    def _check_owner_of_apply(self, name: ScopedName, stored: StoredSecret, request: Secret) -> None:
        if request.metadata:
            _check_settled(name, stored)
        if not stored.present or stored.secret.owner == request.owner:
            return
        policy = self._rules.ownership
        if policy is OwnershipPolicy.IGNORE:
            return
        free_to_take = stored.secret.owner is None and request.owner is not None
        if free_to_take and (_is_left_of(stored, request) or policy is OwnershipPolicy.ADOPT):
            return
        raise _not_owner(name, request.owner)

    def _check_owner_of_delete(self, name: ScopedName, stored: StoredSecret, owner: str | None) -> None:
        """As for apply, except that a request without an owner passes unless the config
        demands one: Crossplane's own client sends none."""
        if owner is None and not self._rules.require_owner_on_delete:
            return
        policy = self._rules.ownership
        if policy is OwnershipPolicy.IGNORE:
            return
        _check_settled(name, stored)
        if stored.secret.owner == owner:
            return
        if stored.secret.owner is None and policy is OwnershipPolicy.ADOPT:
            return
        raise _not_owner(name, owner)


def _check_settled(name: ScopedName, stored: StoredSecret) -> None:
    """While a creator may still be at work on the metadata, who needs to know it or writes
    some has lost the race."""
    if stored.unfinished_age is not None and stored.unfinished_age < SETTLE_SECONDS:
        raise Conflict(f"secret {name} has just been created and may still get its owner")


def _is_left_of(stored: StoredSecret, request: Secret) -> bool:
    """Whether an unowned secret is what a crash between data and owner label left of this
    very apply."""
    unfinished = stored.unfinished_age is not None
    return unfinished and bool(stored.secret.data) and stored.secret.data == request.data


def _not_owner(name: ScopedName, owner: str | None) -> NotOwner:
    if owner is None:
        return NotOwner(f"existing secret {name} is owned, and the request carries no owner label")
    return NotOwner(f'existing secret {name} is not owned by UID "{owner}"')


def _check_version(name: ScopedName, stored: StoredSecret, wanted: Version | None) -> None:
    current = stored.version if stored.present else NO_SECRET
    if wanted is not None and wanted != current:
        raise Conflict(f"secret {name} is at version {current}, not {wanted}")


def _merge(existing: Secret, request: Secret) -> Secret:
    return Secret({**existing.data, **request.data}, {**existing.metadata, **request.metadata})


def _without(existing: Secret, keys: Collection[str]) -> Secret:
    """`existing` without `keys`; no keys: without any data."""
    remaining = {key: value for key, value in existing.data.items() if keys and key not in keys}
    return replace(existing, data=remaining)


def _differences(before: Secret, after: Secret) -> tuple[KeyChange, ...]:
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


def _check_size(name: ScopedName, secret: Secret, capabilities: Capabilities) -> None:
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
