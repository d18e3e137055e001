"""The gate: never too many inside, in the order of asking, and no slot is ever lost."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from store_plugin.bucket import TokenBucket
from store_plugin.dispatch.guards.gate import LONGEST_HOLD, WAITING_PER_SLOT, Gate
from store_plugin.errors import (
    BreakerOpen,
    DeadlineExceeded,
    Overloaded,
    StorePluginError,
    StoreUnavailable,
    Throttled,
)
from tests.support.virtual_time import VirtualLoop, virtually

FAR = 1e9


def now() -> float:
    return asyncio.get_running_loop().time()


def full_gate(most: int = 2, bucket: TokenBucket | None = None) -> Gate:
    gate = Gate("ShelfConfig/a", most, bucket)
    while gate.try_enter(now()):
        pass
    return gate


async def asked(gate: Gate, deadline: float = FAR) -> "asyncio.Task[None]":
    """Somebody who waits."""
    task = asyncio.create_task(gate.enter(deadline))
    await asyncio.sleep(0)
    return task


def test_a_slot_goes_to_whoever_waits_longest() -> None:
    async def run() -> None:
        gate, order = full_gate(1), list[int]()

        async def one(number: int) -> None:
            await gate.enter(FAR)
            order.append(number)
            gate.leave()

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(one(number))
            await asyncio.sleep(0)
            assert (gate.in_flight, gate.waiting) == (1, 5)
            gate.leave()
        assert order == [0, 1, 2, 3, 4]
        assert (gate.in_flight, gate.waiting) == (0, 0)

    virtually(run())


@pytest.mark.parametrize("granted", [False, True], ids=["waiting", "just-let-in"])
def test_a_cancelled_waiter_leaves_no_slot_behind(granted: bool) -> None:
    async def run() -> None:
        gate = full_gate(1)
        task = await asked(gate)
        if granted:
            gate.leave()
            assert gate.in_flight == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (gate.in_flight, gate.waiting) == (0 if granted else 1, 0)

    virtually(run())


def test_who_waits_in_vain_is_told_at_the_deadline() -> None:
    async def run() -> None:
        gate = full_gate()
        with pytest.raises(DeadlineExceeded):
            await gate.enter(now() + 3)
        assert (now(), gate.waiting) == (1003, 0)

    virtually(run())


def refusal_of(prepare: Callable[[Gate], None], deadline_in: float, most: int = 2) -> StorePluginError:
    """What somebody is told at once who asks a full gate."""

    async def run() -> StorePluginError:
        gate = full_gate(most)
        prepare(gate)
        with pytest.raises(StorePluginError) as caught:
            await gate.enter(now() + deadline_in)
        assert now() == 1000, "at once"
        assert (gate.in_flight, gate.waiting) == (most, 0)
        return caught.value

    return virtually(run())


def test_who_cannot_be_done_in_time_is_refused_at_once() -> None:
    refused = refusal_of(lambda gate: gate.answered(4.0), 5.0)
    assert isinstance(refused, Overloaded)
    assert "ShelfConfig/a: 2 calls" in refused.message
    assert refused.retry_after == 2.0, "half of the 4 s that a call takes: there are two slots"


def test_who_can_be_done_in_time_waits() -> None:
    async def run() -> None:
        gate = full_gate(2)
        gate.answered(4.0)
        task = await asked(gate, now() + 6.0)
        assert gate.waiting == 1
        gate.leave()
        await task

    virtually(run())


def test_nobody_waits_long_at_a_store_where_nothing_moves() -> None:
    async def run() -> None:
        gate = full_gate(2)
        await asyncio.sleep(10)
        with pytest.raises(Overloaded):
            await gate.enter(now() + 4)

    virtually(run())


def test_a_burst_after_a_rest_is_no_store_where_nothing_moves() -> None:
    async def run() -> None:
        gate = full_gate(2)
        gate.leave()
        gate.leave()
        await asyncio.sleep(1000)
        assert gate.try_enter(now())
        assert gate.try_enter(now())
        task = await asked(gate, now() + 1)
        gate.leave()
        await task

    virtually(run())


def test_only_so_many_wait() -> None:
    async def run() -> None:
        gate = full_gate(2)
        tasks = [await asked(gate) for _ in range(2 * WAITING_PER_SLOT)]
        with pytest.raises(Overloaded):
            await gate.enter(FAR)
        assert gate.waiting == len(tasks)
        gate.dismiss(lambda: BreakerOpen("left alone"))
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ended} == {BreakerOpen}
        assert (gate.in_flight, gate.waiting) == (2, 0)

    virtually(run())


def test_calls_are_paced_by_the_bucket() -> None:
    async def run() -> None:
        gate, times = Gate("ShelfConfig/a", 100, TokenBucket(rate=2, burst=2, now=now())), list[float]()

        async def one() -> None:
            await gate.enter(FAR)
            times.append(round(now() - 1000, 3))
            gate.leave()

        await asyncio.gather(*(one() for _ in range(5)))
        assert times == [0, 0, 0.5, 1.0, 1.5]

    virtually(run())


def test_a_throttled_call_holds_back_the_next_and_halves_the_slots() -> None:
    async def run() -> None:
        gate = full_gate(8)
        gate.throttled(0.5)
        gate.throttled(0.5)
        assert gate.slots == 4, "two answers to calls that were under way together"
        for _ in range(8):
            gate.leave()
        assert not gate.try_enter(now())
        tasks = [await asked(gate) for _ in range(6)]
        await asyncio.sleep(0.4)
        assert gate.in_flight == 0
        await asyncio.sleep(0.2)
        assert (gate.in_flight, gate.waiting) == (4, 2)
        for _ in range(60):
            gate.answered(0.01)
        assert gate.slots == 8, "they come back with answers"
        gate.leave()
        await asyncio.gather(*tasks)

    virtually(run())


def test_who_cannot_wait_for_the_stores_patience_is_told_to_slow_down() -> None:
    refused = refusal_of(lambda gate: gate.throttled(0.8), 0.5)
    assert isinstance(refused, Throttled)
    assert refused.retry_after == pytest.approx(0.8)


def test_a_long_time_asked_for_holds_others_back_only_so_long() -> None:
    async def run() -> None:
        gate = Gate("ShelfConfig/a", 2)
        gate.throttled(3600)
        await gate.enter(FAR)
        assert now() - 1000 == pytest.approx(LONGEST_HOLD)

    virtually(run())


def test_a_closed_gate_lets_nobody_wait() -> None:
    async def run() -> None:
        gate = full_gate(1)
        task = await asked(gate)
        gate.close()
        with pytest.raises(StoreUnavailable):
            await task

    virtually(run())


class GateMachine(RuleBasedStateMachine):
    """Everybody comes, waits, loses patience and leaves in any order, paced or not."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.tasks: list[asyncio.Task[None]] = []
        """Who waits, in the order of asking."""
        self.inside = 0
        self.gate = self.do(self.make)

    async def make(self) -> Gate:
        return Gate("ShelfConfig/a", 3, TokenBucket(5, 4, now()))

    @rule(patience=st.sampled_from([0.05, 1.0, 100.0]))
    def ask(self, patience: float) -> None:
        async def enter() -> None:
            await self.gate.enter(now() + patience)

        self.tasks.append(self.loop.create_task(enter()))
        self.turn()

    @rule()
    def leave(self) -> None:
        if self.inside:
            self.inside -= 1
            self.call(self.gate.leave)

    @rule(number=st.integers(0, 20), leaving=st.booleans())
    def give_up(self, number: int, leaving: bool) -> None:
        """Somebody is cancelled, perhaps in the moment in which a slot comes free."""
        if not self.tasks:
            return
        task = self.tasks.pop(number % len(self.tasks))
        if leaving and self.inside:
            self.inside -= 1
            self.call(lambda: (self.gate.leave(), task.cancel()))
        else:
            self.call(task.cancel)
        assert task.done()
        if not task.cancelled() and task.exception() is None:
            self.inside += 1

    @rule(seconds=st.sampled_from([0.01, 0.2, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.do(lambda: asyncio.sleep(seconds))
        self.turn()

    @rule(seconds=st.sampled_from([0.1, 2.0]))
    def throttle(self, seconds: float) -> None:
        if self.inside:
            self.call(lambda: self.gate.throttled(seconds))

    @rule(seconds=st.sampled_from([0.001, 0.5]))
    def answer(self, seconds: float) -> None:
        self.call(lambda: self.gate.answered(seconds))

    @invariant()
    def never_more_are_inside_than_slots(self) -> None:
        assert self.gate.in_flight == self.inside <= 3

    @invariant()
    def who_waits_is_counted_and_nobody_else(self) -> None:
        assert self.gate.waiting == len(self.tasks) <= 3 * WAITING_PER_SLOT

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Who waits does so for a slot, or for time that a timer watches."""
        if self.gate.waiting and self.gate.in_flight < self.gate.slots:
            assert self.gate._timer is not None

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.turn()
        for _ in range(self.inside):
            self.call(self.gate.leave)
        self.do(lambda: asyncio.sleep(100))
        for _ in range(100):
            self.gate.answered(0.0)
        assert (self.gate.in_flight, self.gate.waiting) == (0, 0)
        assert [self.gate.try_enter(self.loop.time()) for _ in range(4)] == [True, True, True, False]
        self.loop.close()

    def do(self, work: Callable[[], object]) -> object:
        return self.loop.run_until_complete(work())  # type: ignore[arg-type]

    def call(self, action: Callable[[], object]) -> None:
        async def on_the_loop() -> None:
            action()

        self.do(on_the_loop)
        self.turn()

    def turn(self) -> None:
        async def breathe() -> None:
            for _ in range(6):
                await asyncio.sleep(0)

        self.do(breathe)
        self.collect()

    def collect(self) -> None:
        """Whoever came in, came in before all who wait since later."""
        waiting_before = False
        left = []
        for task in self.tasks:
            if not task.done():
                waiting_before = True
                left.append(task)
            elif task.cancelled() or task.exception() is not None:
                assert task.cancelled() or isinstance(task.exception(), StorePluginError)
            else:
                assert not waiting_before, "in the order of asking"
                self.inside += 1
        self.tasks = left


GateMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestGate = GateMachine.TestCase
