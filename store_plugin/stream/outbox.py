"""Frames on their way to one peer: in order, through one writer, within bounds.

gRPC allows one write at a time on a stream. Whoever has a frame waits here for room, so a
slow peer slows its own callers; one that takes nothing for long is given up.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from store_plugin.stream.frames import Frame

MOST_FRAMES = 256
MOST_BYTES = 16 * 1024 * 1024
"""Waiting for one peer; a single larger frame may still go alone."""
STALL_SECONDS = 10.0
"""Longest that a peer may take nothing while frames wait for it."""


class PeerStalled(Exception):
    """The peer has read nothing for too long."""


class Closed(Exception):
    """The stream has ended: no frame goes out any more."""


class Outbox:
    """Frames for one peer; `run` writes them until it is cancelled or the peer stalls."""

    def __init__(
        self,
        write: Callable[[Frame], Awaitable[None]],
        *,
        most_frames: int = MOST_FRAMES,
        most_bytes: int = MOST_BYTES,
        stall_seconds: float | None = None,
    ) -> None:
        self._write = write
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self._stall_seconds = STALL_SECONDS if stall_seconds is None else stall_seconds
        self._frames: deque[tuple[Frame, int]] = deque()
        self._bytes = 0
        self._turn = asyncio.Lock()
        """Held by the first of those who wait for room; asyncio's locks are fair."""
        self._room = asyncio.Event()
        self._closed = False
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    async def put(self, frame: Frame) -> None:
        """Queue a frame, as soon as there is room and everyone before has had theirs. Closed."""
        size = frame.ByteSize()
        if self._turn.locked() or not self._has_room(size):
            async with self._turn:
                while not self._has_room(size) and not self._closed:
                    self._room.clear()
                    await self._room.wait()
                self._append(frame, size)
        else:
            self._append(frame, size)

    def offer(self, frame: Frame) -> bool:
        """Queue a frame if there is room at once; what can be lost, or comes again, goes so."""
        size = frame.ByteSize()
        if self._closed or self._turn.locked() or not self._has_room(size):
            return False
        self._append(frame, size)
        return True

    async def run(self) -> None:
        """Write until cancelled. PeerStalled; whatever writing raises."""
        while True:
            await self._write_all()
            self._empty.set()
            self._filled.clear()
            await self._filled.wait()

    async def flushed(self) -> None:
        """Wait until nothing is queued."""
        await self._empty.wait()

    def close(self) -> None:
        """Take no more frames; whoever waits for room learns that there will be none."""
        self._closed = True
        self._room.set()

    def __len__(self) -> int:
        return len(self._frames)

    async def _write_all(self) -> None:
        now = asyncio.get_running_loop().time
        until = now() + self._stall_seconds
        try:
            async with asyncio.timeout_at(until) as patience:
                while self._frames:
                    frame, size = self._frames[0]
                    await self._write(frame)
                    self._frames.popleft()
                    self._bytes -= size
                    self._room.set()
                    # A timer for each frame costs as much as the frame: one is moved now and then.
                    if until - now() < 0.9 * self._stall_seconds:
                        until = now() + self._stall_seconds
                        patience.reschedule(until)
        except TimeoutError:
            raise PeerStalled(f"the peer has read nothing for {self._stall_seconds:g} s") from None

    def _has_room(self, size: int) -> bool:
        if not self._frames:
            return True
        return len(self._frames) < self._most_frames and self._bytes + size <= self._most_bytes

    def _append(self, frame: Frame, size: int) -> None:
        if self._closed:
            raise Closed
        self._frames.append((frame, size))
        self._bytes += size
        self._empty.clear()
        self._filled.set()
