"""Reads of one secret that come while one is under way share the next one.

A storm of readers then costs the store two reads, not one each, and no caller ever gets an
answer that was asked for before its own call: who wrote, and then reads, sees the write.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from store_plugin.model import ScopedName, StoredSecret

LONGEST_WAIT = 0.1
"""Seconds to wait for a read under way: one that hangs holds up nobody for longer."""


@dataclass(slots=True, eq=False)
class _Read:
    """One read: under way, or waiting for the one before it."""

    over: "asyncio.Future[None] | None" = None
    """Made when somebody waits for the end."""
    following: "_Read | None" = None
    shared: "list[asyncio.Future[StoredSecret | None]]" = field(default_factory=list)
    """Callers that wait for its answer; None tells them to read for themselves."""


class JoinedReads:
    """Shares reads by name. Belongs to one event loop and makes no tasks."""

    def __init__(self, read: Callable[[ScopedName], Awaitable[StoredSecret]]) -> None:
        self._read = read
        self._under_way: dict[ScopedName, _Read] = {}

    async def read(self, name: ScopedName) -> StoredSecret:
        """What is stored now; raises what the store raises. A read that fails, or whose
        caller is cancelled, is not shared: the others read for themselves."""
        current = self._under_way.get(name)
        if current is None:
            current = self._under_way[name] = _Read()
            return await self._lead(name, current)
        if current.following is None:
            return await self._lead_after(name, current)
        shared: asyncio.Future[StoredSecret | None] = asyncio.get_running_loop().create_future()
        current.following.shared.append(shared)
        return await shared or await self._read(name)

    def __len__(self) -> int:
        return len(self._under_way)

    async def _lead_after(self, name: ScopedName, current: _Read) -> StoredSecret:
        mine = current.following = _Read()
        current.over = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((current.over,), timeout=LONGEST_WAIT)
        except BaseException:
            _tell(mine, None)
            current.following = None
            self._end(name, mine)
            raise
        if self._under_way.get(name) is current:  # it hangs: go on without it
            current.following = None
            self._under_way[name] = mine
        return await self._lead(name, mine)

    async def _lead(self, name: ScopedName, mine: _Read) -> StoredSecret:
        found = None
        try:
            found = await self._read(name)
            return found
        finally:
            _tell(mine, found)
            self._end(name, mine)

    def _end(self, name: ScopedName, ended: _Read) -> None:
        """Let the read after it begin, where it is still the one under way."""
        if self._under_way.get(name) is not ended:
            return
        if ended.following is None:
            del self._under_way[name]
            return
        self._under_way[name] = ended.following
        if ended.over is not None and not ended.over.done():
            ended.over.set_result(None)


def _tell(read: _Read, found: StoredSecret | None) -> None:
    for shared in read.shared:
        if not shared.done():
            shared.set_result(found)
