"""A queue for the writers of one secret, so that those of one process never race each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
