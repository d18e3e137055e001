"""One Secret, from how it is to how it should be: the same way whatever has happened."""

import random
from dataclasses import replace

from store_plugin.publisher.cluster.events import Events
from store_plugin.publisher.cluster.secrets import ClusterSecrets, FoundSecret
from store_plugin.publisher.conditions import TRANSIENT, Condition, Reason, Refused
from store_plugin.publisher.queue import Key
from store_plugin.publisher.records import Record, Records
from store_plugin.publisher.wishes.annotations import STATUS
from store_plugin.publisher.wishes.wish import Defaults, Direction, Wish, read_wish
from store_plugin.publisher.work.fetching import Fetching
from store_plugin.publisher.work.publishing import Publishing
from store_plugin.publisher.work.removing import Removing
from store_plugin.publisher.work.restoring import Restoring
from store_plugin.publisher.work.turns import NotYet, Turns

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_LONGEST_PAUSE_OF_MISTAKES = 300.0
"""What a person has to mend shows in a Secret or a StoreConfig, which are watched; except for
what they mend in the store."""


class Reconciler:
    """`look_after` may be called for any Secret at any time, by one worker at a time each."""

    def __init__(
        self,
        secrets: ClusterSecrets,
        publishing: Publishing,
        fetching: Fetching,
        removing: Removing,
        restoring: Restoring,
        turns: Turns,
        events: Events,
        records: Records,
        defaults: Defaults,
    ) -> None:
        self._secrets = secrets
        self._publishing = publishing
        self._fetching = fetching
        self._removing = removing
        self._restoring = restoring
        self._turns = turns
        self._events = events
        self._records = records
        self._defaults = defaults

    async def look_after(self, key: Key) -> float | None:
        """Seconds until it is to be looked at again, None: when it changes. Raises what the API
        server answers, StorePluginError; what the store answers is told about the Secret."""
        record = self._records.get(key)
        if record is not None and self._turns.has_to_wait(record.store_config, key):
            return None
        try:
            return await self._read_and_look_after(key)
        except NotYet:
            return None

    async def _read_and_look_after(self, key: Key) -> float | None:
        secret = await self._secrets.read(key)
        if secret is None:
            self._publishing.give_up(key)
            self._records.forget(key)
            return None
        record = self._record_of(secret)
        if _said(secret) is None:
            secret = await self._restoring.put_back(secret, record)
        said = _said(secret)
        if said is not None:
            record.said = secret.head.annotations[STATUS]
        record.version = secret.version
        try:
            return await self._as_it_should_be(secret, record, said)
        except Refused as error:
            return await self._tell_failure(secret, record, said, error)

    def _record_of(self, secret: FoundSecret) -> Record:
        """What is remembered of this Secret, and not of one that had its name before."""
        key = secret.key
        if self._records.of(key).uid not in ("", secret.uid):
            self._publishing.give_up(key)
            self._records.forget(key)
        record = self._records.of(key)
        record.uid = secret.uid
        return record

    async def _as_it_should_be(
        self, secret: FoundSecret, record: Record, said: Condition | None
    ) -> float | None:
        if said is not None and said.target is not None:
            record.store_config = said.target.store_config
        if secret.being_deleted:
            await self._removing.let_go(secret, record, said)
            return None
        wish = read_wish(secret.head, self._defaults)
        if wish is None:
            await self._removing.let_go(secret, record, said)
            self._records.forget(secret.key)
            return None
        record.direction, record.store_config = wish.direction, wish.target.store_config
        again: float | None
        if wish.direction is Direction.PUBLISH:
            condition, again = await self._publish(secret, wish, record, said)
        else:
            await self._publish_no_more(secret, record)
            condition, again = await self._fetching.fetch(secret, wish, record, said)
        record.worked()
        await self._say(secret, record, said, condition)
        record.reason = condition.reason
        return again

    async def _publish(
        self, secret: FoundSecret, wish: Wish, record: Record, said: Condition | None
    ) -> tuple[Condition, float | None]:
        """The old place is left once it is said that there is a new one: whatever comes between, one
        of them is there, and nothing is forgotten."""
        there = self._publishing.is_there
        if said and said.leaving and not there(wish.target, said.target, said.leaving):
            if not there(said.leaving, said.target):
                await self._removing.leave(secret, record, said.leaving)  # there is room for one
            said = replace(said, leaving=None)
        condition, again = await self._publishing.publish(secret, wish, record, said)
        if condition.leaving is None:
            return condition, again
        if said is None or said.leaving != condition.leaving:
            return condition, 0.0
        await self._removing.leave(secret, record, condition.leaving)
        record.fingerprint = b""  # two store configs may lead to one place: it is looked for there again
        return replace(condition, leaving=None), 0.0

    async def _publish_no_more(self, secret: FoundSecret, record: Record) -> None:
        """Where it was published before, that stays: it may be what is fetched."""
        self._publishing.give_up(secret.key)
        if secret.has_finalizer:
            record.version = await self._secrets.release(secret, record.version)

    async def _tell_failure(
        self, secret: FoundSecret, record: Record, said: Condition | None, error: Refused
    ) -> float:
        record.failed()
        record.fingerprint, record.reason = b"", error.reason
        record.direction = record.direction or (said.kind if said else Direction.PUBLISH)
        before = said if said and said.kind == record.direction else Condition("", error.reason)
        condition = replace(
            before, kind=record.direction, reason=error.reason, message=error.message, since=""
        )
        if error.reason not in TRANSIENT or record.keeps_failing:
            await self._say(secret, record, said, condition)
        if error.away and error.retry_after is not None:
            return error.retry_after  # all Secrets of the store take turns
        return max(_pause(record.failures, error.reason), error.retry_after or 0.0)

    async def _say(
        self, secret: FoundSecret, record: Record, said: Condition | None, condition: Condition
    ) -> None:
        """Where it is news. An Event tells of what is wrong, and that it is right again."""
        if not condition.says_more_than(said):
            return
        record.said = condition.following(said).written()
        record.version = await self._secrets.say(secret, record.version, record.said)
        changed = said.reason is not condition.reason if said else not condition.good
        if changed and condition.reason is not Reason.REMOVAL_BLOCKED:  # which tells by itself
            await self._events.tell(secret.key, secret.uid, condition.reason, condition.message)


def _said(secret: FoundSecret) -> Condition | None:
    return Condition.read(secret.head.annotations.get(STATUS))


def _pause(failures: int, reason: Reason) -> float:
    """Growing, and never the same for two Secrets."""
    longest = _LONGEST_PAUSE if reason in TRANSIENT else _LONGEST_PAUSE_OF_MISTAKES
    due = min(_FIRST_PAUSE * 2 ** min(failures, 12), longest)
    return random.uniform(due / 2, due)
