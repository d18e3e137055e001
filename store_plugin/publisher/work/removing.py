"""A Secret that goes, or asks no more: what was published goes with it, or stays.

The finalizer keeps a Secret no longer than that takes. What stands in the way is told, and told
again, with the way out: nobody has to guess why a namespace does not go.
"""

from time import monotonic

from store_plugin.publisher.cluster.events import Events
from store_plugin.publisher.cluster.secrets import ClusterSecrets, FoundSecret
from store_plugin.publisher.conditions import TRANSIENT, Condition, Reason, Refused, Target
from store_plugin.publisher.records import Record
from store_plugin.publisher.wishes.annotations import DELETION_POLICY, STATUS
from store_plugin.publisher.wishes.wish import (
    Defaults,
    DeletionPolicy,
    Direction,
    UpdatePolicy,
    deletion_policy,
    read_wish,
)
from store_plugin.publisher.work.publishing import Publishing

_TOLD_EVERY = 600.0
"""Seconds between Events about one Secret that cannot go."""
_WAY_OUT = f"to let it go and keep what was published, set the annotation {DELETION_POLICY}: Retain"


class Removing:
    """Lets Secrets go."""

    def __init__(
        self, secrets: ClusterSecrets, publishing: Publishing, events: Events, defaults: Defaults
    ) -> None:
        self._secrets = secrets
        self._publishing = publishing
        self._events = events
        self._defaults = defaults

    async def let_go(self, secret: FoundSecret, record: Record, said: Condition | None) -> None:
        """Remove what was published, by policy, then the finalizer and what we said. Raises Refused
        (REMOVAL_BLOCKED) where that cannot be."""
        if secret.has_finalizer:
            try:
                await self._remove_published(secret, said)
            except Refused as error:
                raise await self._blocked(secret, record, error) from None
        if secret.has_finalizer or (STATUS in secret.head.annotations and not secret.being_deleted):
            record.version = await self._secrets.let_go(secret, record.version)
        self._publishing.give_up(secret.key)

    async def leave(self, secret: FoundSecret, record: Record, place: Target) -> None:
        """Remove, by policy, what was published where the Secret is no more. Raises Refused
        (REMOVAL_BLOCKED) where that cannot be."""
        if deletion_policy(secret.head, self._defaults) is DeletionPolicy.DELETE:
            try:
                await self._publishing.remove(secret.key, place)
            except Refused as error:
                raise await self._blocked(secret, record, error, f" as {place}") from None
        self._publishing.is_free(place)

    async def _remove_published(self, secret: FoundSecret, said: Condition | None) -> None:
        if deletion_policy(secret.head, self._defaults) is DeletionPolicy.RETAIN:
            return
        for target in self._targets(secret, said):
            await self._publishing.remove(secret.key, target)

    def _targets(self, secret: FoundSecret, said: Condition | None) -> list[Target]:
        """Where it was published: as we said, and where it was to go when we could not say it any
        more."""
        places = (said.target, said.leaving) if said and said.kind == Direction.PUBLISH else ()
        found = [place for place in places if place is not None]
        try:
            wish = read_wish(secret.head, self._defaults)
        except Refused:
            return found
        if wish is None or wish.direction is not Direction.PUBLISH or wish.target in found:
            return found
        if wish.update_policy is UpdatePolicy.IF_NOT_EXISTS:  # may be what was there before
            return found
        return [*found, wish.target]

    async def _blocked(self, secret: FoundSecret, record: Record, error: Refused, what: str = "") -> Refused:
        told = f"what was published{what} cannot be removed: {error.message}; {_WAY_OUT}"
        if error.reason in TRANSIENT and not record.keeps_failing:
            return error
        if not record.told_at or monotonic() > record.told_at + _TOLD_EVERY:
            uid, reason = secret.uid, Reason.REMOVAL_BLOCKED
            if await self._events.tell(secret.key, uid, reason, told):
                record.told_at = monotonic()
        return Refused(Reason.REMOVAL_BLOCKED, told, error.retry_after, away=error.away)
