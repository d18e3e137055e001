"""The store behind a StoreConfig, as the work on a Secret needs it: over the runtime adapter,
with the publisher's own idea of who owns a secret."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from store_plugin.publisher.conditions import Target
from store_plugin.publisher.queue import Key
from store_plugin.publisher.reasons import told_as_reasons
from store_plugin.publisher.work.outages import Outages
from store_plugin.publisher.work.turns import Turns
from store_plugin.runtime import AsyncDetailsManager, Owner, PublishTo, StoreConfigReference


class Observer(Protocol):
    """Counts and times what is asked of the store."""

    def call(self, operation: str) -> AbstractContextManager[None]: ...
    def changed(self) -> None: ...


class External:
    """Errors are Refused; NotYet where a Secret has to wait for its turn.

    An owner is `cluster_id` and the Secret's name, not its UID: a Secret that is deleted and made
    again goes on with what was kept for it."""

    def __init__(
        self,
        details: AsyncDetailsManager,
        cluster_id: str,
        turns: Turns,
        outages: Outages,
        observer: Observer,
    ) -> None:
        self._details = details
        self._turns = turns
        self._outages = outages
        self._cluster_id = cluster_id
        self._observer = observer

    async def publish(self, key: Key, target: Target, data: Mapping[str, bytes]) -> bool:
        """Whether anything was new."""
        with self._call("publish", key, target):
            changed = await self._details.publish(self._owner(key, target), data)
        if changed:
            self._observer.changed()
        return changed

    async def fetch(self, key: Key, target: Target) -> dict[str, bytes]:
        """Empty: there is nothing."""
        with self._call("fetch", key, target):
            return await self._details.fetch(self._owner(key, target)) or {}

    async def remove(self, key: Key, target: Target, keys: Collection[str] = ()) -> None:
        """These keys, or all of it."""
        with self._call("unpublish", key, target):
            await self._details.unpublish(self._owner(key, target), keys)

    @contextmanager
    def _call(self, operation: str, key: Key, target: Target) -> Iterator[None]:
        config = target.store_config
        turn, passing = self._turns.taken(config, key), self._outages.passing(config)
        with turn, passing, self._observer.call(operation), told_as_reasons():
            yield

    def _owner(self, key: Key, target: Target) -> Owner:
        name = target.name.removeprefix(f"{key.namespace}/")
        to = PublishTo(name=name, config_ref=StoreConfigReference(name=target.store_config))
        uid = uuid5(NAMESPACE_URL, f"{self._cluster_id}/{key}")
        return Owner(str(uid), key.namespace, to)
