"""How far a stream of responses may get ahead of its caller.

The stream to the hub is one for all calls, so HTTP/2 cannot hold one of them back. The hub tells of
each call how many responses its caller has taken, and the method waits here for that.
"""

import asyncio
from collections import deque

MOST_AHEAD = 128
MOST_BYTES_AHEAD = 8 * 1024 * 1024
"""After which no further response is sent: half of what a hub keeps for a caller."""


class Ahead:
    """The responses of one call that its caller has not taken yet, as far as was told."""

    def __init__(self) -> None:
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._room = asyncio.Event()

    async def add(self, size: int) -> None:
        """One more, of `size` bytes, as soon as there is room; the call's deadline bounds the wait."""
        while len(self._sizes) >= MOST_AHEAD or self._bytes >= MOST_BYTES_AHEAD:
            self._room.clear()
            await self._room.wait()
        self._sizes.append(size)
        self._bytes += size

    def taken(self, responses: int) -> None:
        """The caller has taken so many more."""
        for _ in range(min(responses, len(self._sizes))):
            self._bytes -= self._sizes.popleft()
        self._room.set()
