"""Reads that share: few reads of the store, and never an answer from before the call."""

import asyncio

import pytest

from store_plugin.errors import StoreUnavailable
from store_plugin.joined import JoinedReads
from store_plugin.model import Presence, ScopedName, StoredSecret, Version
from tests.support.waiting import until

NAME = ScopedName.parse("team-a/db")
OTHER = ScopedName.parse("team-a/other")


class Gated:
    """A store whose reads wait until they are let go; each answers what is stored then."""

    def __init__(self) -> None:
        self.stored = 0
        self.reads: list[asyncio.Future[None]] = []
        self.failing: set[int] = set()

    async def read(self, name: ScopedName) -> StoredSecret:
        number, seen = len(self.reads), self.stored
        self.reads.append(asyncio.get_running_loop().create_future())
        await self.reads[number]
        if number in self.failing:
            raise StoreUnavailable("away")
        return StoredSecret(Presence.PRESENT, version=Version(str(seen)))

    async def let_go(self, number: int) -> None:
        await until(lambda: len(self.reads) > number)
        if not self.reads[number].done():
            self.reads[number].set_result(None)


async def started(
    joined: JoinedReads, count: int, name: ScopedName = NAME
) -> "list[asyncio.Task[StoredSecret]]":
    tasks = [asyncio.create_task(joined.read(name)) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def versions(tasks: "list[asyncio.Task[StoredSecret]]") -> set[str | None]:
    return {stored.version for stored in await asyncio.gather(*tasks)}


async def test_sixteen_readers_cost_two_reads() -> None:
    store = Gated()
    joined = JoinedReads(store.read)
    tasks = await started(joined, 16)
    await store.let_go(0)
    await store.let_go(1)
    assert await versions(tasks) == {"0"}
    assert len(store.reads) == 2
    assert not joined


async def test_a_reader_never_gets_an_answer_from_before_its_call() -> None:
    store = Gated()
    joined = JoinedReads(store.read)
    before = await started(joined, 1)
    store.stored = 1
    after = await started(joined, 3)
    await store.let_go(0)
    await store.let_go(1)
    assert await versions(before) == {"0"}
    assert await versions(after) == {"1"}


async def test_other_names_do_not_wait() -> None:
    store = Gated()
    joined = JoinedReads(store.read)
    slow = await started(joined, 1)
    (other,) = await started(joined, 1, OTHER)
    await store.let_go(1)
    assert (await other).present
    await store.let_go(0)
    await versions(slow)


async def test_a_failure_is_not_shared() -> None:
    store = Gated()
    store.failing = {1}
    joined = JoinedReads(store.read)
    tasks = await started(joined, 4)
    for number in range(4):
        await store.let_go(number)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        StoredSecret,
        StoreUnavailable,
        StoredSecret,
        StoredSecret,
    ]
    assert not joined


@pytest.mark.parametrize("cancelled", [0, 1, 2], ids=["reads", "waits-to-read", "shares"])
async def test_a_cancelled_reader_takes_nobody_with_it(cancelled: int) -> None:
    store = Gated()
    joined = JoinedReads(store.read)
    tasks = await started(joined, 4)
    tasks[cancelled].cancel()

    async def let_all_go() -> None:
        for number in range(len(tasks) + 1):
            await store.let_go(number)

    letting = asyncio.create_task(let_all_go())
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    letting.cancel()
    expected = [asyncio.CancelledError if n == cancelled else StoredSecret for n in range(4)]
    assert [type(outcome) for outcome in outcomes] == expected
    assert not joined


async def test_a_read_that_hangs_holds_up_nobody_for_long() -> None:
    store = Gated()
    joined = JoinedReads(store.read)
    (hanging,) = await started(joined, 1)
    tasks = await started(joined, 3)
    await store.let_go(1)
    assert await versions(tasks) == {"0"}
    assert not hanging.done()
    await store.let_go(0)
    await hanging
    assert not joined
