"""Frames leave in order, within bounds, and nobody waits for a peer that is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from store_plugin.stream import frames
from store_plugin.stream.outbox import Closed, Outbox, PeerStalled


def frame(number: int, size: int = 0) -> frames.Frame:
    return frames.call(str(number), "Say", b"x" * size)


class Peer:
    """Takes frames when it is let to."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.reading = asyncio.Event()

    async def write(self, sent: frames.Frame) -> None:
        await self.reading.wait()
        self.taken.append(sent.rpc_call.request_id)


@asynccontextmanager
async def writing(outbox: Outbox) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(outbox.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_frames_leave_in_the_order_of_asking_also_when_some_had_to_wait() -> None:
    peer = Peer()
    outbox = Outbox(peer.write, most_frames=3)
    puts = [asyncio.create_task(outbox.put(frame(n))) for n in range(20)]
    async with writing(outbox):
        await asyncio.sleep(0)
        assert len(outbox) <= 3
        peer.reading.set()
        await asyncio.gather(*puts)
        await outbox.flushed()
    assert peer.taken == [str(n) for n in range(20)]


async def test_bytes_are_bounded_and_a_larger_frame_goes_alone() -> None:
    peer = Peer()
    outbox = Outbox(peer.write, most_bytes=1000)
    await outbox.put(frame(0, 5000))
    waiting = asyncio.create_task(outbox.put(frame(1, 10)))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    assert not outbox.offer(frame(2))
    peer.reading.set()
    async with writing(outbox):
        await waiting
        await outbox.flushed()
    assert peer.taken == ["0", "1"]


async def test_who_gives_up_waiting_leaves_no_hole() -> None:
    peer = Peer()
    outbox = Outbox(peer.write, most_frames=1)
    await outbox.put(frame(0))
    first, second = (asyncio.create_task(outbox.put(frame(n))) for n in (1, 2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    peer.reading.set()
    async with writing(outbox):
        await second
        await outbox.flushed()
    assert peer.taken == ["0", "2"]


async def test_a_peer_that_takes_nothing_is_given_up() -> None:
    outbox = Outbox(Peer().write, stall_seconds=0.05)
    await outbox.put(frame(0))
    with pytest.raises(PeerStalled):
        await outbox.run()


async def test_closing_tells_whoever_waits() -> None:
    outbox = Outbox(Peer().write, most_frames=1)
    await outbox.put(frame(0))
    waiting = [asyncio.create_task(outbox.put(frame(n))) for n in range(1, 4)]
    await asyncio.sleep(0)
    outbox.close()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, Closed)
    with pytest.raises(Closed):
        await outbox.put(frame(9))
    assert not outbox.offer(frame(9))
