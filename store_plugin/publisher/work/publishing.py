"""A Secret into the store: with as few calls as it takes, and none where nothing is new."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

from store_plugin.publisher.cluster.secrets import ClusterSecrets, FoundSecret
from store_plugin.publisher.cluster.store_configs import StoreConfigs
from store_plugin.publisher.conditions import Condition, Place, Reason, Refused, Target
from store_plugin.publisher.queue import Key
from store_plugin.publisher.records import Fingerprints, Record, Records
from store_plugin.publisher.wishes.wish import DeletionPolicy, Direction, UpdatePolicy, Wish
from store_plugin.publisher.work.external import External

_EARLY = 0.9
"""Part of the interval after which it is time to compare again."""

_NOT_THERE = (Reason.NOT_OWNER, Reason.NAME_REFUSED)
"""Why nothing of ours can be in a place: it is somebody else's, or none."""


class Publishing:
    """`requeue` is called with Secrets that waited for a name. `resync`: seconds after which what
    is unchanged is compared with the store all the same; 0: never."""

    def __init__(
        self,
        secrets: ClusterSecrets,
        configs: StoreConfigs,
        external: External,
        records: Records,
        requeue: Callable[[Place], None],
        resync: float,
    ) -> None:
        self._secrets = secrets
        self._configs = configs
        self._external = external
        self._records = records
        self._requeue = requeue
        self._resync = resync
        self._fingerprints = Fingerprints()

    async def publish(
        self, secret: FoundSecret, wish: Wish, record: Record, said: Condition | None
    ) -> tuple[Condition, float | None]:
        """What to say, and seconds until it is to be looked at again. Raises Refused."""
        key, target = secret.key, wish.target
        config = self._configs.usable(target.store_config, key.namespace)
        place = self._configs.place(target)
        self._check_name_is_free(key, target, place)
        data = wish.keys.select(secret.data)
        fingerprint = self._fingerprints.of(f"{target}{wish.update_policy}{config.spec!r}", data)
        again = self._resync * random.uniform(1, 1.1) or None
        await self._hold_or_release(secret, wish, record)
        condition = self._still_true(said, target)
        if condition is None or not self._is_known(record, fingerprint):
            with self._reserved(key, place):
                condition = await self._write(key, wish, data, condition)
            record.fingerprint, record.compared_at = fingerprint, monotonic()
        leaving = self._to_leave(said, wish)
        self._take(key, condition, leaving)
        return replace(condition, leaving=leaving), again

    @contextmanager
    def _reserved(self, key: Key, place: Place) -> Iterator[None]:
        try:
            with self._records.reserved(key, place):
                yield
        except Refused:
            self._tell_free(place)
            raise

    def _take(self, key: Key, condition: Condition, leaving: Target | None) -> None:
        """Note where the Secret is now. Who waits for the place that it had goes on, unless that is
        still to be removed."""
        had = self._records.holds(key)
        if condition.target is None:
            self._records.release(key)
        else:
            self._records.hold(key, self._configs.place(condition.target))
        stays = [self._configs.place(target) for target in (condition.target, leaving) if target is not None]
        if had is not None and had not in stays:
            self._tell_free(had)

    def _check_name_is_free(self, key: Key, target: Target, place: Place) -> None:
        holder = self._records.holder(place)
        if holder is None or holder == key:
            return
        self._records.want(place)
        through = Target(self._records.of(holder).store_config, target.name)
        same = through != target and self.is_there(target, through)
        how = f", through StoreConfig {through.store_config} of the same store" if same else ""
        told = f"Secret {holder} is published as {target}{how}; give one of them another name with the"
        raise Refused(Reason.NAME_TAKEN, f"{told} annotation secrets.crossplane.io/remote-name")

    def _is_known(self, record: Record, fingerprint: bytes) -> bool:
        fresh = not self._resync or monotonic() < record.compared_at + _EARLY * self._resync
        return fresh and record.fingerprint == fingerprint

    async def _hold_or_release(self, secret: FoundSecret, wish: Wish, record: Record) -> None:
        """The finalizer comes before anything that it is to remove, and goes with the wish for it."""
        wanted = wish.deletion_policy is DeletionPolicy.DELETE
        if wanted != secret.has_finalizer:
            change = self._secrets.keep if wanted else self._secrets.release
            record.version = await change(secret, record.version)

    def give_up(self, key: Key) -> None:
        """The name that a Secret had is free."""
        place = self._records.release(key)
        if place is not None:
            self._tell_free(place)

    def is_there(self, target: Target, *others: Target | None) -> bool:
        """Whether it is the place of one of the others, whatever StoreConfig leads there."""
        place = self._configs.place(target)
        return any(self._configs.place(other) == place for other in others if other is not None)

    def _tell_free(self, place: Place) -> None:
        """To those who wait for it, where there are any: they are looked for among all Secrets, and
        this may be said of as many, while a store is away."""
        if self._records.is_wanted(place):
            self._requeue(place)

    def is_free(self, target: Target) -> None:
        """Somebody else may have this name now: also who was refused by the store, which told
        nobody here."""
        place = self._configs.place(target)
        self._records.no_longer_wanted(place)
        self._requeue(place)

    async def remove(self, key: Key, target: Target) -> None:
        """From the store, if it is the Secret's own there."""
        if not target.name.startswith(f"{key.namespace}/"):
            return  # not ours: somebody wrote the condition
        if self._records.is_of_another(key, self._configs.place(target)):
            return  # not every store asks who owns it
        self._configs.usable(target.store_config, key.namespace)
        try:
            await self._external.remove(key, target)
        except Refused as error:
            if error.reason not in _NOT_THERE:
                raise

    async def _write(
        self, key: Key, wish: Wish, data: dict[str, bytes], holds: Condition | None
    ) -> Condition:
        target, kind = wish.target, wish.direction
        if wish.update_policy is UpdatePolicy.IF_NOT_EXISTS and await self._external.fetch(key, target):
            return holds or Condition(kind, Reason.KEPT, "it was there already")
        await self._external.publish(key, target, data)
        if wish.update_policy is UpdatePolicy.MIRROR:
            gone = (await self._external.fetch(key, target)).keys() - data.keys()
            if gone:
                await self._external.remove(key, target, gone)
        return Condition(kind, Reason.PUBLISHED, "", target)

    def _still_true(self, said: Condition | None, target: Target) -> Condition | None:
        """What was said, where it holds for this place. Who found something there is not there."""
        if said is None or not said.good or said.kind != Direction.PUBLISH:
            return None
        if said.reason is Reason.KEPT:
            return said
        return replace(said, target=target) if self.is_there(target, said.target) else None

    def _to_leave(self, said: Condition | None, wish: Wish) -> Target | None:
        """Where the Secret was before, and is to be removed from."""
        if said is None or said.kind != Direction.PUBLISH:
            return None
        leaving = said.leaving
        if said.target is not None and not self.is_there(wish.target, said.target):
            leaving = said.target if wish.deletion_policy is DeletionPolicy.DELETE else None
        return None if leaving is None or self.is_there(wish.target, leaving) else leaving
