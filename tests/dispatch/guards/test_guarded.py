"""The guards around a store: what they refuse, what they repeat, and what they let alone."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from store_plugin.dispatch.guards.breaker import LEAST_CALLS, BreakerState
from store_plugin.dispatch.guards.deadline import request_deadline
from store_plugin.dispatch.guards.guarded import GuardedStore
from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.errors import (
    BreakerOpen,
    Conflict,
    DeadlineExceeded,
    LoginRefused,
    Overloaded,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
    Throttled,
)
from store_plugin.model import ABSENT, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from store_plugin.testing.memory import MemoryData, MemoryStore
from tests.support.fakes import RecordingLog, ShelfSpec
from tests.support.house import reference
from tests.support.virtual_time import virtually

NAME = ScopedName.parse("team/db")
WANTED = Secret({"k": b"v"}, {"m": "1"})
AWAY = StoreUnavailable("away")
CAS = Capabilities(compare_and_set=True, conditional_delete=False)


def now() -> float:
    return asyncio.get_running_loop().time()


class Scripted(MemoryStore):
    """A store whose next calls fail as told, before or after they are carried out, or hang."""

    def __init__(self, capabilities: Capabilities = CAS) -> None:
        super().__init__(MemoryData(), capabilities)
        self.calls: list[str] = []
        self.before: list[Exception | None] = []
        self.after: list[Exception | None] = []
        self.hanging: asyncio.Event | None = None
        self.at_once = self.most_at_once = 0

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await self._faulty("read", lambda: super(Scripted, self).read(name, version))

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._faulty("write", lambda: super(Scripted, self).write(name, secret, base=base))

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._faulty("delete", lambda: super(Scripted, self).delete(name, base=base))

    async def _faulty(self, verb: str, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls.append(verb)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.hanging is not None:
                await self.hanging.wait()
            _raise_next(self.before)
            result = await call()
            _raise_next(self.after)
            return result
        finally:
            self.at_once -= 1


def _raise_next(errors: list[Exception | None]) -> None:
    if errors and (error := errors.pop(0)) is not None:
        raise error


class Witness:
    """A GuardObserver that remembers."""

    def __init__(self) -> None:
        self.refused: list[tuple[str, str]] = []
        self.repeated: list[tuple[str, str]] = []

    def store_call_refused(self, kind: str, reason: str) -> None:
        self.refused.append((kind, reason))

    def store_call_repeated(self, kind: str, verb: str) -> None:
        self.repeated.append((kind, verb))


class Bench:
    """A guarded store and what stands around it."""

    def __init__(self, capabilities: Capabilities = CAS, **limits: float) -> None:
        self.inner = Scripted(capabilities)
        self.log = RecordingLog()
        self.witness = Witness()
        spec = ShelfSpec.model_validate({"server": "https://x", "limits": limits})
        self.store = GuardedStore(self.inner, reference("a"), spec, self.witness, self.log)

    async def fail(self, error: Exception, number: int = LEAST_CALLS) -> None:
        """Removals without time to look what became of them, that end so."""
        request_deadline.set(now())
        for _ in range(number):
            self.inner.before = [error]
            with pytest.raises(type(error)):
                await self.store.delete(NAME, base=ABSENT)
        request_deadline.set(now() + 100)

    @property
    def breaker(self) -> BreakerState:
        return self.store.guards.breaker

    def assert_idle(self) -> None:
        guards = self.store.guards
        assert (guards.in_flight, guards.waiting, self.inner.at_once) == (0, 0, 0)


def on_the_bench(test: Callable[[Bench], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def run() -> None:
        bench = Bench(**options)
        await test(bench)
        bench.assert_idle()

    virtually(run())


# Reads.


@pytest.mark.parametrize(
    "error", [AWAY, Throttled("slow down", retry_after=0.2), DeadlineExceeded("no answer")], ids=repr
)
def test_a_read_that_failed_for_a_passing_reason_is_repeated(error: Exception) -> None:
    async def test(bench: Bench) -> None:
        bench.inner.before = [error]
        assert await bench.store.read(NAME) is ABSENT
        assert bench.inner.calls == ["read"] * 2
        assert bench.witness.repeated == [("ShelfConfig", "read")]
        assert bench.store.guards.repeated == 1

    on_the_bench(test)


@pytest.mark.parametrize("error", [StoreDenied("no"), LoginRefused("no"), ZeroDivisionError()], ids=repr)
def test_what_another_call_would_meet_again_is_not_repeated(error: Exception) -> None:
    async def test(bench: Bench) -> None:
        bench.inner.before = [error]
        with pytest.raises(type(error)):
            await bench.store.read(NAME)
        assert bench.inner.calls == ["read"]

    on_the_bench(test)


def test_a_read_is_repeated_twice_and_then_says_what_the_store_said() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.before = [AWAY, AWAY, last := StoreUnavailable("still away")]
        with pytest.raises(StoreUnavailable) as caught:
            await bench.store.read(NAME)
        assert caught.value is last
        assert bench.inner.calls == ["read"] * 3

    on_the_bench(test)


def test_retries_are_at_most_a_tenth_of_the_calls() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(1000):
            bench.inner.before = [AWAY] * 3
            with pytest.raises(StoreUnavailable):
                await bench.store.read(NAME)
            await asyncio.sleep(40)  # or the breaker would let none through
        assert len(bench.inner.calls) <= 1000 * 1.1 + 10

    on_the_bench(test)


def test_a_read_is_not_repeated_where_that_would_come_too_late() -> None:
    async def test(bench: Bench) -> None:
        request_deadline.set(now() + 0.05)
        bench.inner.before = [AWAY]
        with pytest.raises(StoreUnavailable):
            await bench.store.read(NAME)
        assert bench.inner.calls == ["read"]

    on_the_bench(test)


def test_the_store_is_given_the_time_that_it_asked_for() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.before = [Throttled("slow down", retry_after=7.0)]
        began = now()
        await bench.store.read(NAME)
        assert now() - began >= 7.0

    on_the_bench(test)


# Writes.


@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done"])
def test_a_write_whose_answer_was_lost_is_settled_by_a_read(done: bool) -> None:
    async def test(bench: Bench) -> None:
        bench.inner.before, bench.inner.after = ([], [AWAY]) if done else ([AWAY], [])
        version = await bench.store.write(NAME, WANTED, base=ABSENT)
        assert bench.inner.calls == (["write", "read"] if done else ["write", "read", "write"])
        (revision,) = bench.inner.data.history(NAME)
        assert (revision.secret, revision.version) == (WANTED, version)

    on_the_bench(test)


def test_a_write_over_which_others_wrote_is_reported_and_theirs_stays() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.data.append(NAME, theirs := Secret({"k": b"theirs"}))
        bench.inner.before = [AWAY]
        with pytest.raises(StoreUnavailable, match="away"):
            await bench.store.write(NAME, WANTED, base=ABSENT)
        assert [revision.secret for revision in bench.inner.data.history(NAME)] == [theirs]

    on_the_bench(test)


def test_a_write_done_in_part_is_reported() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.data.append(NAME, Secret(WANTED.data))
        bench.inner.before = [AWAY]
        with pytest.raises(StoreUnavailable):
            await bench.store.write(NAME, WANTED, base=ABSENT)
        assert bench.inner.calls == ["write", "read"]

    on_the_bench(test)


def test_a_write_is_not_repeated_without_compare_and_set() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.before = [AWAY]
        with pytest.raises(StoreUnavailable):
            await bench.store.write(NAME, WANTED, base=ABSENT)
        assert bench.inner.calls == ["write"]

    on_the_bench(test, capabilities=Capabilities(compare_and_set=False, conditional_delete=False))


def test_a_removal_is_never_repeated() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.data.append(NAME, WANTED)
        bench.inner.before = [AWAY]
        with pytest.raises(StoreUnavailable):
            await bench.store.delete(NAME, base=ABSENT)
        assert bench.inner.calls == ["delete", "read"]

    on_the_bench(test)


def test_a_removal_whose_answer_was_lost_is_settled_by_a_read() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.data.append(NAME, WANTED)
        bench.inner.after = [AWAY]
        await bench.store.delete(NAME, base=ABSENT)
        assert bench.inner.calls == ["delete", "read"]

    on_the_bench(test)


def test_a_lost_answer_is_no_lost_race_for_a_conditional_apply() -> None:
    async def test(bench: Bench) -> None:
        engine = Engine(bench.store, Rules(), LocationLocks())
        bench.inner.after = [None, AWAY]
        applied = await engine.apply(NAME, WANTED, deadline=now() + 30, if_version=Version("0"))
        assert (applied.changed, applied.version) == (True, "1")

    on_the_bench(test)


def test_a_lost_race_stays_one() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.data.append(NAME, Secret({"k": b"theirs"}))
        with pytest.raises(Conflict):
            await bench.store.write(NAME, WANTED, base=ABSENT)
        assert bench.inner.calls == ["write"]

    on_the_bench(test)


# The gate.


def test_no_more_calls_are_under_way_than_the_config_says() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.hanging = asyncio.Event()
        tasks = [asyncio.create_task(bench.store.read(NAME)) for _ in range(10)]
        await asyncio.sleep(0.1)
        assert (bench.store.guards.in_flight, bench.store.guards.waiting) == (3, 7)
        bench.inner.hanging.set()
        await asyncio.gather(*tasks)
        assert bench.inner.most_at_once == 3

    on_the_bench(test, maxConcurrent=3)


def test_calls_begin_at_the_rate_of_the_config() -> None:
    async def test(bench: Bench) -> None:
        began = now()
        await asyncio.gather(*(bench.store.read(NAME) for _ in range(21)))
        assert now() - began == pytest.approx(4.0, abs=0.1)

    on_the_bench(test, requestsPerSecond=5, burst=1)


def test_what_cannot_be_done_by_the_deadline_of_its_request_is_refused() -> None:
    async def test(bench: Bench) -> None:
        await asyncio.gather(bench.store.read(NAME), bench.store.read(NAME))
        request_deadline.set(now() + 0.5)
        with pytest.raises(Overloaded):
            await bench.store.read(NAME)
        assert bench.inner.calls == ["read"] * 2
        assert bench.witness.refused == [("ShelfConfig", "OVERLOADED")]
        assert bench.store.guards.refused == 1

    on_the_bench(test, requestsPerSecond=1, burst=2)


def test_requests_cancelled_while_they_wait_or_work_leave_nothing() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.hanging = asyncio.Event()
        tasks = [asyncio.create_task(bench.store.read(NAME)) for _ in range(10)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    on_the_bench(test, maxConcurrent=3)


# The breaker.


def test_an_open_breaker_refuses_without_a_call_and_a_probe_closes_it() -> None:
    async def test(bench: Bench) -> None:
        await bench.fail(AWAY)
        assert bench.breaker is BreakerState.OPEN
        with pytest.raises(BreakerOpen, match="ShelfConfig/a") as caught:
            await bench.store.read(NAME)
        assert len(bench.inner.calls) == LEAST_CALLS
        assert bench.witness.refused == [("ShelfConfig", "BREAKER_OPEN")]
        assert bench.store.problem is not None
        assert caught.value.retry_after is not None
        await asyncio.sleep(caught.value.retry_after)
        await bench.store.read(NAME)
        assert (bench.breaker, bench.store.problem) == (BreakerState.CLOSED, None)
        assert bench.log.events() == ["breaker opened", "breaker closed"]

    on_the_bench(test)


@pytest.mark.parametrize(
    "error",
    [StoreDenied("no"), LoginRefused("no"), Conflict("lost"), ZeroDivisionError()],
    ids=repr,
)
def test_failures_that_do_not_lie_with_the_store_leave_it_closed(error: Exception) -> None:
    async def test(bench: Bench) -> None:
        await bench.fail(error, 100)
        assert bench.breaker is BreakerState.CLOSED

    on_the_bench(test)


def test_a_store_that_throttles_is_there() -> None:
    async def test(bench: Bench) -> None:
        await bench.fail(Throttled("slow down", retry_after=0.01), 100)
        assert bench.breaker is BreakerState.CLOSED

    on_the_bench(test)


async def hang(bench: Bench, patience: float, number: int) -> None:
    """So many calls of a store that never answers, each given up after so many seconds."""
    bench.inner.hanging = asyncio.Event()

    async def one() -> None:
        try:
            async with asyncio.timeout(patience):
                await bench.store.read(NAME)
        except (TimeoutError, StorePluginError):
            pass

    await asyncio.gather(*(one() for _ in range(number)))


def test_a_store_that_never_answers_is_found_out_and_who_waits_for_it_is_sent_away() -> None:
    async def test(bench: Bench) -> None:
        began = now()
        await hang(bench, 2.0, 60)
        assert bench.breaker is BreakerState.OPEN
        assert now() - began == 2.0, "those who waited for a slot did not get their turn to hang"
        assert len(bench.inner.calls) == 32

    on_the_bench(test)


def test_callers_without_patience_do_not_open_the_breaker_for_others() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(20):
            await hang(bench, 0.01, 30)
        assert bench.breaker is BreakerState.CLOSED

    on_the_bench(test)


def test_a_store_that_is_always_slow_is_not_taken_for_one_that_hangs() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.hanging = asyncio.Event()
        asyncio.get_running_loop().call_later(5.0, bench.inner.hanging.set)
        await bench.store.read(NAME)
        await hang(bench, 3.0, 60)
        assert bench.breaker is BreakerState.CLOSED

    on_the_bench(test)


def test_one_probe_at_a_time_and_a_cancelled_one_passes_the_turn_on() -> None:
    async def test(bench: Bench) -> None:
        await bench.fail(AWAY)
        await asyncio.sleep(2)
        bench.inner.hanging = asyncio.Event()
        probe = asyncio.create_task(bench.store.read(NAME))
        await asyncio.sleep(0.1)
        assert bench.breaker is BreakerState.HALF_OPEN
        with pytest.raises(BreakerOpen):
            await bench.store.read(NAME)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        bench.inner.hanging = None
        await bench.store.read(NAME)
        assert bench.breaker is BreakerState.CLOSED

    on_the_bench(test)


def test_a_closed_store_keeps_nobody_waiting() -> None:
    async def test(bench: Bench) -> None:
        bench.inner.hanging = asyncio.Event()
        tasks = [asyncio.create_task(bench.store.read(NAME)) for _ in range(2)]
        await asyncio.sleep(0.1)
        await bench.store.aclose()
        with pytest.raises(StoreUnavailable, match="closed"):
            await tasks[1]
        bench.inner.hanging.set()
        await tasks[0]

    on_the_bench(test, maxConcurrent=1)
