"""A Secret into the store: with as few calls as it takes, and none where nothing is new."""

import random
from collections.abc import Callable
from time import monotonic

from store_plugin.publisher.cluster.secrets import ClusterSecrets, FoundSecret
from store_plugin.publisher.cluster.store_configs import StoreConfigs
from store_plugin.publisher.conditions import Condition, Reason, Refused, Target
from store_plugin.publisher.queue import Key
from store_plugin.publisher.records import Fingerprints, Record, Records
from store_plugin.publisher.wishes.wish import DeletionPolicy, UpdatePolicy, Wish
from store_plugin.publisher.work.external import External

_EARLY = 0.9
"""Part of the interval after which it is time to compare again."""


class Publishing:
    """`requeue` is called with Secrets that waited for a name. `resync`: seconds after which what
    is unchanged is compared with the store all the same; 0: never."""

    def __init__(
        self,
        secrets: ClusterSecrets,
        configs: StoreConfigs,
        external: External,
        records: Records,
        requeue: Callable[[Target], None],
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
        self._check_name_is_free(key, target)
        data = wish.keys.select(secret.data)
        fingerprint = self._fingerprints.of(f"{target}{wish.update_policy}{config.spec!r}", data)
        again = self._resync * random.uniform(1, 1.1) or None
        holds = said if said is not None and said.good and said.target == target else None
        await self._hold_or_release(secret, wish, record)
        if holds is not None and self._is_known(record, fingerprint):
            return holds, again
        await self._leave_old_place(key, wish, said)
        condition = await self._write(key, wish, data, holds)
        self._records.hold(key, target)
        record.fingerprint, record.compared_at = fingerprint, monotonic()
        return condition, again

    def _check_name_is_free(self, key: Key, target: Target) -> None:
        holder = self._records.holder(target)
        if holder not in (None, key):
            told = (
                f"Secret {holder} is published as {target}; give one of them another name with the annotation"
            )
            raise Refused(Reason.NAME_TAKEN, f"{told} secrets.crossplane.io/remote-name")

    def _is_known(self, record: Record, fingerprint: bytes) -> bool:
        fresh = not self._resync or monotonic() < record.compared_at + _EARLY * self._resync
        return fresh and record.fingerprint == fingerprint

    async def _hold_or_release(self, secret: FoundSecret, wish: Wish, record: Record) -> None:
        """The finalizer comes before anything that it is to remove, and goes with the wish for it."""
        wanted = wish.deletion_policy is DeletionPolicy.DELETE
        if wanted != secret.has_finalizer:
            change = self._secrets.keep if wanted else self._secrets.release
            record.version = await change(secret, record.version)

    async def _leave_old_place(self, key: Key, wish: Wish, said: Condition | None) -> None:
        old = said.target if said else None
        if old is None or old == wish.target:
            return
        if wish.deletion_policy is DeletionPolicy.DELETE:
            await self.remove(key, old)
        self.give_up(key)

    def give_up(self, key: Key) -> None:
        """The name that a Secret had is free."""
        target = self._records.release(key)
        if target is not None:
            self._requeue(target)

    async def remove(self, key: Key, target: Target) -> None:
        """From the store, if it is the Secret's own there."""
        if not target.name.startswith(f"{key.namespace}/"):
            return  # not ours: somebody wrote the condition
        self._configs.usable(target.store_config, key.namespace)
        try:
            await self._external.remove(key, target)
        except Refused as error:
            if error.reason is not Reason.NOT_OWNER:  # somebody else's: there is nothing to remove
                raise

    async def _write(
        self, key: Key, wish: Wish, data: dict[str, bytes], holds: Condition | None
    ) -> Condition:
        target, kind = wish.target, wish.direction
        if wish.update_policy is UpdatePolicy.IF_NOT_EXISTS:
            if holds is not None:
                return holds
            if await self._external.fetch(key, target):
                return Condition(kind, Reason.KEPT, "it was there already", target)
        await self._external.publish(key, target, data)
        if wish.update_policy is UpdatePolicy.MIRROR:
            gone = (await self._external.fetch(key, target)).keys() - data.keys()
            if gone:
                await self._external.remove(key, target, gone)
        return Condition(kind, Reason.PUBLISHED, "", target)
