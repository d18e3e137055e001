"""Each Secret once, by one worker at a time, changes first."""

import asyncio

import pytest

from store_plugin.publisher.queue import Key, WorkQueue

A, B, C = (Key("ns", name) for name in "abc")


@pytest.fixture
def queue() -> WorkQueue:
    return WorkQueue()


async def taken(queue: WorkQueue) -> list[Key]:
    """All that is there now."""
    found = []
    while len(queue):
        found.append(await queue.take())
    return found


async def nothing_to_take(queue: WorkQueue) -> bool:
    try:
        async with asyncio.timeout(0.02):
            await queue.take()
    except TimeoutError:
        return True
    return False


async def test_what_is_told_often_is_taken_once(queue: WorkQueue) -> None:
    for key in (A, B, A, A):
        queue.add(key)
    assert await taken(queue) == [A, B]


async def test_changes_go_before_what_is_only_there(queue: WorkQueue) -> None:
    queue.add(A, urgent=False)
    queue.add(B, urgent=False)
    queue.add(C)
    queue.add(B)
    assert await taken(queue) == [C, B, A]


async def test_what_is_told_while_it_is_worked_on_is_taken_again_afterwards(queue: WorkQueue) -> None:
    queue.add(A)
    assert await queue.take() == A
    queue.add(A)
    assert await nothing_to_take(queue)
    queue.done(A)
    assert await queue.take() == A
    queue.done(A)
    assert await nothing_to_take(queue)


async def test_what_waits_and_what_is_worked_on_is_counted(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add(B)
    await queue.take()
    queue.add(A)
    assert (len(queue), queue.taken) == (1, 1)
    queue.done(A)
    assert (len(queue), queue.taken) == (2, 0)


async def test_it_is_known_whether_a_change_was_the_cause(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add(B, urgent=False)
    assert [queue.is_urgent(await queue.take()) for _ in range(2)] == [True, False]
    assert not queue.is_urgent(C)


async def test_time_comes_for_what_waits(queue: WorkQueue) -> None:
    queue.add_later(A, 0.05)
    queue.add_later(B, 0.01)
    assert [await queue.take(), await queue.take()] == [B, A]


async def test_a_worker_that_waits_hears_of_an_earlier_time(queue: WorkQueue) -> None:
    queue.add_later(A, 3600)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        waiting = group.create_task(queue.take())
        await asyncio.sleep(0)
        queue.add_later(A, 0)
    assert waiting.result() == A


async def test_the_last_time_counts_and_a_change_takes_it_away(queue: WorkQueue) -> None:
    queue.add_later(A, 0)
    queue.add_later(A, 3600)
    assert await nothing_to_take(queue)
    queue.add_later(B, 0.01)
    queue.add(B)
    assert await queue.take() == B
    queue.done(B)
    assert await nothing_to_take(queue)


async def test_what_is_forgotten_is_not_taken(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add_later(B, 0)
    queue.forget(A)
    queue.forget(B)
    assert await nothing_to_take(queue)


async def test_times_given_again_and_again_take_no_room(queue: WorkQueue) -> None:
    for _ in range(20_000):
        queue.add_later(A, 3600)
    assert len(queue._times) <= 2002
