"""Slots, turns and idle connections, with connections that are made of nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from stores.vault.http.connection import Connection
from stores.vault.http.pool import Pool
from stores.vault.http.response import HttpFailure

IDLE_SECONDS = 0.05


class Dialer:
    """Connects at once, or fails, or waits."""

    def __init__(self) -> None:
        self.dialled = 0
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, connection: Connection) -> None:
        self.dialled += 1
        await self.gate.wait()
        if self.failure:
            raise self.failure


@pytest.fixture
async def dialer() -> Dialer:
    return Dialer()


@pytest.fixture
async def pool(dialer: Dialer) -> AsyncIterator[Pool]:
    pool = Pool(dialer, 2, IDLE_SECONDS)
    yield pool
    await pool.aclose()


def soon(seconds: float = 10.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def acquired(pool: Pool) -> Connection:
    return await pool.acquire(soon())


def give_back(pool: Pool, connection: Connection) -> None:
    """As after a complete answer."""
    connection.reusable = True
    pool.release(connection)


async def waiting(pool: Pool, count: int) -> list[asyncio.Task[Connection]]:
    tasks = [asyncio.create_task(acquired(pool)) for _ in range(count)]
    while len(pool._waiters) < count:
        await asyncio.sleep(0)
    return tasks


async def test_slots_are_given_in_the_order_of_asking(pool: Pool) -> None:
    held = [await acquired(pool), await acquired(pool)]
    tasks = await waiting(pool, 5)
    order: list[int] = []
    for number, task in enumerate(tasks):
        task.add_done_callback(lambda _, number=number: order.append(number))
    for _ in tasks:
        give_back(pool, held[0])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert order == [0, 1, 2, 3, 4]
    assert {task.result() for task in tasks} == {held[0]}


async def test_a_connection_that_is_closed_leaves_its_slot_to_the_next(pool: Pool, dialer: Dialer) -> None:
    held = [await acquired(pool), await acquired(pool)]
    (task,) = await waiting(pool, 1)
    pool.release(held[0])
    assert await task not in held
    assert (dialer.dialled, pool._slots) == (3, 2)


@pytest.mark.parametrize("after", ["before", "after"])
async def test_a_waiter_that_is_cancelled_loses_no_slot(pool: Pool, after: str) -> None:
    """Before its turn, and when it has got a slot it did not see yet."""
    held = [await acquired(pool), await acquired(pool)]
    tasks = await waiting(pool, 3)
    if after == "after":
        give_back(pool, held[0])
    tasks[0].cancel()
    if after == "before":
        give_back(pool, held[0])
    assert await tasks[1] is held[0]
    give_back(pool, held[1])
    assert await tasks[2] is held[1]
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert pool._slots == 2


async def test_a_slot_that_a_cancelled_waiter_got_is_free_again(pool: Pool) -> None:
    held = [await acquired(pool), await acquired(pool)]
    (task,) = await waiting(pool, 1)
    pool.release(held[0])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert pool._slots == 1


async def test_waiting_ends_at_the_deadline(pool: Pool) -> None:
    held = [await acquired(pool), await acquired(pool)]
    with pytest.raises(TimeoutError):
        await pool.acquire(soon(0.02))
    give_back(pool, held[0])
    assert await acquired(pool) is held[0]


async def test_connecting_ends_at_the_deadline(pool: Pool, dialer: Dialer) -> None:
    dialer.gate.clear()
    with pytest.raises(TimeoutError):
        await pool.acquire(soon(0.02))
    assert (pool._slots, len(pool._all)) == (0, 0)


async def test_a_failed_connection_leaves_its_slot(pool: Pool, dialer: Dialer) -> None:
    dialer.failure = HttpFailure("no")
    for _ in range(5):
        with pytest.raises(HttpFailure):
            await acquired(pool)
    assert (pool._slots, len(pool._all)) == (0, 0)


async def test_a_fresh_connection_carried_nothing_yet(pool: Pool) -> None:
    used = await acquired(pool)
    give_back(pool, used)
    assert await pool.acquire(soon(), fresh=True) is not used
    assert (used.closed, pool._slots) == (True, 1)


async def test_the_one_used_last_is_used_next(pool: Pool) -> None:
    one, two = await acquired(pool), await acquired(pool)
    give_back(pool, two)
    give_back(pool, one)
    assert pool.take(surely_alive=False) is one


async def test_idle_connections_are_closed_after_their_time(pool: Pool) -> None:
    one, two = await acquired(pool), await acquired(pool)
    begun = asyncio.get_running_loop().time()
    give_back(pool, one)
    async with asyncio.timeout(10):
        while not one.closed:
            await asyncio.sleep(0.001)
    assert asyncio.get_running_loop().time() - begun >= IDLE_SECONDS
    assert (two.closed, pool._slots, pool._timer) == (False, 1, None)


async def test_retired_connections_serve_nobody(pool: Pool) -> None:
    idle, busy = await acquired(pool), await acquired(pool)
    give_back(pool, idle)
    pool.retire()
    assert (idle.closed, busy.closed, pool.take(surely_alive=False)) == (True, False, None)
    pool.release(busy)
    assert (busy.closed, pool._slots) == (True, 0)


async def test_a_closed_pool_opens_nothing(pool: Pool, dialer: Dialer) -> None:
    held = [await acquired(pool), await acquired(pool)]
    tasks = await waiting(pool, 2)
    await pool.aclose()
    outcomes = await asyncio.gather(*tasks, acquired(pool), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [HttpFailure] * 3
    for connection in held:
        give_back(pool, connection)
    assert (dialer.dialled, pool._slots) == (2, 0)
    assert all(connection.closed for connection in held)


async def test_a_connection_that_comes_up_after_the_end_is_closed(pool: Pool, dialer: Dialer) -> None:
    dialer.gate.clear()
    task = asyncio.create_task(acquired(pool))
    while not dialer.dialled:
        await asyncio.sleep(0)
    await pool.aclose()
    dialer.gate.set()
    with pytest.raises(HttpFailure, match="closed"):
        await task
    assert pool._slots == 0
