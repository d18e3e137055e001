"""When stores are opened, swapped and closed."""

import asyncio

import pytest

from store_plugin.dispatch import pool as module
from store_plugin.errors import ConfigInvalid, ConfigNotFound, StoreUnavailable
from store_plugin.model import ScopedName
from tests.support.house import House, reference
from tests.support.waiting import until

NAME = ScopedName.parse("team/db")
A = reference("a")


def closed(house: House) -> list[int]:
    return [store.closed for store in house.factory.stores]


async def test_nothing_is_opened_before_the_first_request(house: House) -> None:
    house.put("a")
    await asyncio.sleep(0)
    assert house.factory.attempts == 0
    with await house.router.lease(A):
        assert house.factory.attempts == 1


async def test_a_store_stays_open_between_requests(house: House) -> None:
    house.put("a")
    for _ in range(3):
        with await house.router.lease(A) as lease:
            await lease.engine.get(NAME)
    assert closed(house) == [0]


async def test_a_lease_of_an_open_store_never_yields_to_the_loop(house: House) -> None:
    house.put("a")
    with await house.router.lease(A):
        pass
    with pytest.raises(StopIteration) as ended:
        house.router.lease(A).send(None)
    with ended.value.value as lease:
        assert lease.engine.store is not None


async def test_first_requests_wait_for_one_open_together(house: House) -> None:
    house.put("a")
    house.factory.gate = asyncio.Event()
    waiting = [asyncio.create_task(house.router.lease(A)) for _ in range(10)]
    await until(lambda: house.factory.attempts)
    house.factory.gate.set()
    leases = await asyncio.gather(*waiting)
    assert house.factory.attempts == 1
    assert {id(lease.engine) for lease in leases} == {id(leases[0].engine)}
    assert house.states()[0].leases == 10
    for lease in leases:
        with lease:
            pass
    assert house.states()[0].leases == 0


async def test_a_waiter_that_gives_up_takes_nobody_with_it(house: House) -> None:
    house.put("a")
    house.factory.gate = asyncio.Event()
    impatient, patient = (asyncio.create_task(house.router.lease(A)) for _ in range(2))
    await until(lambda: house.factory.attempts)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    house.factory.gate.set()
    with await patient as lease:
        await lease.engine.get(NAME)
    assert (house.factory.attempts, house.states()[0].leases) == (1, 0)


async def test_an_open_that_nobody_waits_for_any_more_serves_the_next(house: House) -> None:
    house.put("a")
    house.factory.gate = asyncio.Event()
    impatient = asyncio.create_task(house.router.lease(A))
    await until(lambda: house.factory.attempts)
    impatient.cancel()
    await asyncio.wait({impatient})
    house.factory.gate.set()
    with await house.router.lease(A):
        assert house.factory.attempts == 1


async def test_a_failed_open_reaches_all_waiters_and_is_not_repeated_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 3600.0)
    house.put("a")
    house.factory.failure = ConfigInvalid("no key")
    house.factory.gate = asyncio.Event()
    waiting = [asyncio.create_task(house.router.lease(A)) for _ in range(5)]
    await until(lambda: house.factory.attempts)
    house.factory.gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["ShelfConfig/a: no key"] * 5
    for _ in range(20):
        with pytest.raises(ConfigInvalid):
            await house.router.lease(A)
    assert house.factory.attempts == 1
    assert house.log.events("warning") == ["store cannot be opened"]


async def test_a_failed_open_is_tried_again_after_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    house.put("a")
    house.factory.failure = ConfigInvalid("no key")
    for _ in range(3):
        with pytest.raises(ConfigInvalid):
            await house.router.lease(A)
    house.factory.failure = None
    with await house.router.lease(A):
        pass
    assert house.factory.attempts == 4
    assert house.log.events("warning") == ["store cannot be opened"]
    assert house.states()[0].last_error is None


async def test_a_new_spec_does_not_wait_for_the_failure_of_the_old(house: House) -> None:
    house.put("a")
    house.factory.failure = ConfigInvalid("no key")
    with pytest.raises(ConfigInvalid):
        await house.router.lease(A)
    house.factory.failure = None
    house.put("a", "https://two")
    with await house.router.lease(A):
        pass


async def test_opening_has_an_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_SECONDS", 0.01)
    house.put("a")
    house.factory.gate = asyncio.Event()
    with pytest.raises(StoreUnavailable, match=r"ShelfConfig/a was not open after 0\.01 s"):
        await house.router.lease(A)


async def test_a_time_out_of_the_stores_own_is_not_told_as_ours(house: House) -> None:
    house.put("a")
    house.factory.failure = TimeoutError("s.CAESIcanaryX7f3")
    with pytest.raises(TimeoutError):
        await house.router.lease(A)
    assert [state.last_error for state in house.states()] == ["failed with TimeoutError"]


async def test_a_changed_config_swaps_the_store_while_requests_finish_on_the_old(house: House) -> None:
    house.put("a")
    with await house.router.lease(A) as old:
        house.put("a", "https://two")
        with await house.router.lease(A) as new:
            assert [store.spec.server for store in house.factory.stores] == ["https://one", "https://two"]
            assert (old.config.generation, new.config.generation) == (1, 2)
            await old.engine.get(NAME)
            await new.engine.get(NAME)
            assert house.states()[0].leases == 2
        assert closed(house) == [0, 0]
    await until(lambda: closed(house) == [1, 0])


async def test_an_idle_store_is_closed_as_soon_as_its_config_changes(house: House) -> None:
    house.put("a")
    with await house.router.lease(A):
        pass
    house.put("a", "https://two")
    await until(lambda: closed(house) == [1])


async def test_a_touched_or_broken_manifest_leaves_the_store_open(house: House) -> None:
    house.put("a")
    with await house.router.lease(A):
        pass
    house.put("a")
    house.break_("a")
    house.put("a")
    with await house.router.lease(A):
        await asyncio.sleep(0)
    assert closed(house) == [0]


async def test_a_removed_config_finishes_its_requests_and_is_closed(house: House) -> None:
    house.put("a")
    with await house.router.lease(A) as lease:
        house.remove("a")
        with pytest.raises(ConfigNotFound):
            await house.router.lease(A)
        await lease.engine.get(NAME)
        assert closed(house) == [0]
    await until(lambda: closed(house) == [1])


async def test_a_config_removed_and_added_again_gets_a_new_store(house: House) -> None:
    house.put("a")
    with await house.router.lease(A) as old:
        house.remove("a")
        house.put("a")
        with await house.router.lease(A) as new:
            assert new.engine is not old.engine
    await until(lambda: closed(house) == [1, 0])


async def test_those_who_wait_while_the_config_changes_get_the_store_they_waited_for(house: House) -> None:
    house.put("a")
    house.factory.gate = asyncio.Event()
    waiting = asyncio.create_task(house.router.lease(A))
    await until(lambda: house.factory.attempts)
    house.put("a", "https://two")
    house.factory.gate.set()
    with await waiting as lease:
        assert lease.config.generation == 1
        await lease.engine.get(NAME)
    await until(lambda: closed(house) == [1])


async def test_a_store_that_opens_after_its_config_went_is_closed(house: House) -> None:
    house.put("a")
    house.factory.gate = asyncio.Event()
    waiting = asyncio.create_task(house.router.lease(A))
    await until(lambda: house.factory.attempts)
    house.remove("a")
    waiting.cancel()
    await asyncio.wait({waiting})
    house.factory.gate.set()
    await until(lambda: closed(house) == [1])


async def test_leaving_a_lease_twice_counts_once(house: House) -> None:
    house.put("a")
    first, second = await house.router.lease(A), await house.router.lease(A)
    for _ in range(2):
        with first:
            pass
    assert house.states()[0].leases == 1
    with second:
        pass


async def test_a_lease_ends_with_an_error_in_its_block(house: House) -> None:
    house.put("a")
    with pytest.raises(ZeroDivisionError), await house.router.lease(A):
        raise ZeroDivisionError
    assert house.states()[0].leases == 0


async def test_close_waits_for_leases_and_lets_nobody_in(house: House) -> None:
    house.put("a")
    lease = await house.router.lease(A)
    closing = asyncio.create_task(house.router.aclose(wait=20.0))
    await until(lambda: not house.states()[0].open)
    with pytest.raises(StoreUnavailable, match="stopping"):
        await house.router.lease(A)
    assert not closing.done()
    with lease:
        await lease.engine.get(NAME)
    await closing
    assert closed(house) == [1]


async def test_close_ends_what_does_not_end_by_itself(house: House) -> None:
    house.put("a")
    house.put("b")
    lease = await house.router.lease(A)
    house.factory.gate = asyncio.Event()
    waiting = asyncio.create_task(house.router.lease(reference("b")))
    await until(lambda: house.factory.attempts == 2)
    await house.router.aclose(wait=0.01)
    with pytest.raises(StoreUnavailable, match="stopping"):
        await waiting
    assert closed(house) == [1]
    with lease:
        pass
    assert closed(house) == [1]
    assert "store closed while in use" in house.log.events("warning")


async def test_a_store_that_fails_to_close_is_told_and_keeps_nothing_open(house: House) -> None:
    for name in ("a", "b"):
        house.put(name)
        with await house.router.lease(reference(name)):
            pass
    house.factory.stores[0].close_failure = RuntimeError("s.CAESIcanaryX7f3")
    await house.router.aclose()
    assert closed(house) == [1, 1]
    assert house.log.events("warning") == ["store failed to close"]
    assert "canary" not in house.log.text


async def test_no_task_outlives_the_close(house: House) -> None:
    house.put("a")
    house.factory.gate = asyncio.Event()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(house.router.lease(A))
    await until(lambda: house.factory.attempts)
    await house.router.aclose(wait=0.0)
    await asyncio.wait({waiting})
    assert asyncio.all_tasks() == before
    assert isinstance(waiting.exception(), StoreUnavailable)
