"""get, apply and delete over one open store: who reads, who decides, who writes, in order."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from store_plugin.engine.fingerprints import Fingerprints
from store_plugin.engine.locks import LocationLocks
from store_plugin.engine.merging import differences, merge, without
from store_plugin.engine.ownership import OwnershipPolicy, check_owner_of_apply, check_owner_of_delete
from store_plugin.engine.races import Races
from store_plugin.engine.recollection import Recollection
from store_plugin.engine.rules import Rules
from store_plugin.engine.sizes import check_size
from store_plugin.errors import Conflict, DocumentInvalid, InvalidRequest, VersionNotFound
from store_plugin.joined import JoinedReads
from store_plugin.model import NO_SECRET, Applied, KeyChange, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Store


class Engine:
    """The rules over one open store. Deadlines are times of the running event loop.

    All engines of a process share `locks` and `fingerprints`.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules,
        locks: LocationLocks,
        *,
        fingerprints: Fingerprints | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.store = store
        self.rules = rules
        self._locks = locks
        self._latest = JoinedReads(store.read)
        self._races = Races(sleep, clock)
        self._clock = self._races.clock
        shared = Fingerprints() if fingerprints is None else fingerprints
        self._recollection = Recollection(shared, rules.drift_check_interval, self._clock)

    async def get(self, name: ScopedName, *, version: Version | None = None) -> StoredSecret:
        """The secret as stored; an absent one and a tombstone come back empty.

        VersionNotFound for a version that is not there, DocumentInvalid for what cannot be
        read.
        """
        stored = await (self._version(name, version) if version else self._latest.read(name))
        if stored.unreadable is not None:
            raise DocumentInvalid(stored.unreadable)
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

        NotOwner, TooLarge, DocumentInvalid, Conflict (if_version differs, or the race was
        lost until the deadline), and what the store raises.
        """
        if if_version and not self.store.capabilities.compare_and_set:
            raise InvalidRequest("this store has no compare-and-set: leave options.if_version empty")
        location, retry = self.store.location(name), if_version is None
        if dry_run:

            async def rehearse() -> Applied:
                return await self._apply(name, request, location, if_version, dry_run=True)

            return await self._races.until_won(name, deadline, rehearse, retry=retry)
        asked = None if if_version else self._recollection.asked(location, name, request)

        async def once() -> Applied:
            began = self._clock()
            applied = await self._apply(name, request, location, if_version)
            self._recollection.note(asked, applied, began)
            return applied

        if known := self._recollection.answer(asked):
            return known
        async with self._locks.hold(location):
            if known := self._recollection.answer(asked):  # by who was in the queue before
                return known
            return await self._races.until_won(name, deadline, once, retry=retry)

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

        NotOwner, DocumentInvalid (keys of what cannot be read), Conflict (the race was lost
        until the deadline), and what the store raises.
        """

        location = self.store.location(name)

        async def once() -> tuple[KeyChange, ...]:
            stored = await self.store.read(name)
            if not stored.present:
                return ()
            self._check_owner_of_delete(name, stored, owner)
            if keys and stored.unreadable is not None:
                raise DocumentInvalid(stored.unreadable)
            remaining = without(stored.secret, keys)
            changes = differences(stored.secret, remaining)
            if not changes and (keys or keep_empty) and stored.unreadable is None:
                return ()
            if dry_run:
                return changes
            with self._recollection.changing(location):
                if remaining.data or keep_empty:
                    await self.store.write(name, remaining, base=stored)
                else:
                    await self.store.delete(name, base=stored)
            return changes

        if dry_run:
            return await self._races.until_won(name, deadline, once)
        async with self._locks.hold(location):
            return await self._races.until_won(name, deadline, once)

    async def _version(self, name: ScopedName, version: Version) -> StoredSecret:
        if not self.store.capabilities.versions:
            raise InvalidRequest("this store keeps no versions: ask for none (options.version)")
        stored = await self.store.read(name, version)
        if not stored.present:
            raise VersionNotFound(f"secret {name} has no version {version}")
        return stored

    async def _apply(
        self,
        name: ScopedName,
        request: Secret,
        location: str,
        if_version: Version | None,
        *,
        dry_run: bool = False,
    ) -> Applied:
        """One try: read, decide, write."""
        stored = await self.store.read(name)
        _check_version(name, stored, if_version)
        self._check_readable(stored)
        check_owner_of_apply(name, stored, request, self.rules.ownership)
        if stored.present and self.rules.keep_existing:
            return Applied(False, (), stored.version)
        existing = stored.secret if stored.present else Secret()
        merged = merge(existing, request)
        changes = differences(existing, merged)
        if stored.present and not changes and stored.unreadable is None:
            return Applied(False, (), stored.version)
        check_size(name, merged, self.store.capabilities)
        if dry_run:
            return Applied(True, changes, None)
        with self._recollection.changing(location):
            return Applied(True, changes, await self.store.write(name, merged, base=stored))

    def _check_readable(self, stored: StoredSecret) -> None:
        """What cannot be read cannot be merged into: it is replaced only where the config
        says that nothing there is worth a check."""
        if stored.unreadable is not None and self.rules.ownership is not OwnershipPolicy.IGNORE:
            raise DocumentInvalid(
                f"{stored.unreadable}: repair or delete it, or let applies replace it with "
                "ownership.policy Ignore"
            )

    def _check_owner_of_delete(self, name: ScopedName, stored: StoredSecret, owner: str | None) -> None:
        rules = self.rules
        check_owner_of_delete(name, stored, owner, rules.ownership, required=rules.require_owner_on_delete)


def _check_version(name: ScopedName, stored: StoredSecret, wanted: Version | None) -> None:
    current = stored.version if stored.present else NO_SECRET
    if wanted is not None and wanted != current:
        raise Conflict(f"secret {name} is at version {current}, not {wanted}")
