"""What a store keeps in `StoredSecret.raw`, as bytes that a hub gives back with a write.

Bytes travel as they are. Anything else stays here, for the write that follows most reads, and a
ticket travels; one that has expired, or comes to another instance, costs another read.
"""

from collections import OrderedDict
from dataclasses import replace
from secrets import token_bytes

from store_plugin.errors import Conflict
from store_plugin.model import ScopedName, StoredSecret
from store_plugin.store import Store

MOST_KEPT = 1024
MOST_BYTES = 16 * 1024 * 1024
"""Of the secrets whose documents are kept."""

_NOTHING, _BYTES, _TICKET = b"", b"b", b"t"


class Notes:
    """Documents kept for later, the latest of them."""

    def __init__(self, most: int = MOST_KEPT, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[bytes, tuple[object, int]] = OrderedDict()
        self._bytes = 0

    def note_for(self, stored: StoredSecret) -> bytes:
        """What travels for the `raw` of what was read."""
        if stored.raw is None:
            return _NOTHING
        if isinstance(stored.raw, bytes):
            return _BYTES + stored.raw
        ticket, size = token_bytes(16), stored.secret.size + 1024
        self._kept[ticket] = stored.raw, size
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone
        return _TICKET + ticket

    async def base_of(self, base: StoredSecret, store: Store, name: ScopedName) -> StoredSecret:
        """`base` as the store knows it. Conflict where its document is gone and the secret is
        another one now."""
        note = base.raw if isinstance(base.raw, bytes) else b""
        kind, rest = note[:1], note[1:]
        if kind == _BYTES:
            return replace(base, raw=rest)
        if kind != _TICKET:
            return replace(base, raw=None)
        held = self._kept.pop(rest, None)
        if held is not None:
            self._bytes -= held[1]
            return replace(base, raw=held[0])
        now = await store.read(name)
        if (now.presence, now.version, now.secret) != (base.presence, base.version, base.secret):
            raise Conflict(f"secret {name} has changed since it was read")
        return now
