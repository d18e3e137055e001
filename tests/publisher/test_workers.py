"""A Secret that cannot be looked after rests, and longer each time, so that nobody is asked for
nothing all the time; others go on."""

import asyncio
from collections.abc import Sequence

import pytest
import structlog

from store_plugin.errors import Conflict, LoginRefused, StoreDenied, StoreUnavailable
from store_plugin.publisher.queue import Key, WorkQueue
from store_plugin.publisher.workers import Workers

KEY, OTHER = Key("ns", "db"), Key("ns", "other")


class NoPause(WorkQueue):
    """Time comes at once; how long it should have taken is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    def add_later(self, key: Key, seconds: float) -> None:
        self.rests.append(seconds)
        self.add(key)


async def rests_of(outcomes: Sequence[Exception | None]) -> list[float]:
    """How long one Secret rested after each of these."""
    queue, left, over = NoPause(), list(outcomes), asyncio.Event()

    async def look_after(key: Key) -> float | None:
        if not left:
            over.set()
            return None
        outcome = left.pop(0)
        if outcome is not None:
            raise outcome
        queue.add(key)
        return None

    workers = asyncio.create_task(Workers(queue, look_after, 1, structlog.get_logger()).run())
    queue.add(KEY)
    async with asyncio.timeout(10):
        await over.wait()
    workers.cancel()
    await asyncio.wait({workers})
    return queue.rests


@pytest.mark.parametrize(
    ("error", "first", "longest"),
    [
        (Conflict("lost"), 0.3, 5.0),
        (StoreUnavailable("away"), 2.0, 30.0),
        (LoginRefused("expired"), 2.0, 30.0),
        (StoreDenied("a webhook"), 5.0, 300.0),
        (RuntimeError("a bug"), 60.0, 600.0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_rests_grow_up_to_a_bound(error: Exception, first: float, longest: float) -> None:
    rests = await rests_of([error] * 12)
    assert len(rests) == 12
    assert first / 2 <= rests[0] <= first
    assert all(longest / 2 <= rest <= longest for rest in rests[-3:])


async def test_success_begins_anew() -> None:
    rests = await rests_of([StoreDenied("no")] * 8 + [None, StoreDenied("no")])
    assert rests[-1] <= 5.0 < rests[-2]


async def test_another_cause_begins_anew() -> None:
    rests = await rests_of([StoreDenied("no")] * 8 + [Conflict("lost")])
    assert rests[-1] <= 0.3


async def test_a_mistake_with_one_secret_leaves_the_others() -> None:
    queue, seen = WorkQueue(), asyncio.Event()

    async def look_after(key: Key) -> float | None:
        if key == KEY:
            raise RuntimeError
        seen.set()
        return None

    workers = asyncio.create_task(Workers(queue, look_after, 1, structlog.get_logger()).run())
    queue.add(KEY)
    queue.add(OTHER)
    async with asyncio.timeout(10):
        await seen.wait()
    workers.cancel()
    await asyncio.wait({workers})
