"""Secrets that somebody has replaced as a whole, with what the publisher had written into them.

Where something is to be removed one day, that is put back before anything else: otherwise nobody
would know what is to be removed. It takes a process that has seen it.
"""

from store_plugin.publisher.cluster.secrets import ClusterSecrets, FoundSecret
from store_plugin.publisher.conditions import Condition, Refused
from store_plugin.publisher.records import Record
from store_plugin.publisher.wishes.wish import Defaults, DeletionPolicy, Direction, deletion_policy


class Restoring:
    """Puts it back."""

    def __init__(self, secrets: ClusterSecrets, defaults: Defaults) -> None:
        self._secrets = secrets
        self._defaults = defaults

    async def put_back(self, secret: FoundSecret, record: Record) -> FoundSecret:
        """A Secret without a condition, as it is then. It is compared with the store."""
        if not self._is_missed(secret, record):
            return secret
        record.fingerprint = b""
        return await self._secrets.put_back(secret, record.said)

    def _is_missed(self, secret: FoundSecret, record: Record) -> bool:
        if secret.being_deleted and not secret.has_finalizer:
            return False  # the API server takes no finalizer any more
        before = Condition.read(record.said)
        if before is None or before.kind != Direction.PUBLISH or before.target is None:
            return False
        try:
            return deletion_policy(secret.head, self._defaults) is DeletionPolicy.DELETE
        except Refused:
            return True  # may have been, and be again
