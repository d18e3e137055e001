"""`driftCheckInterval`: which applies are answered without a call, and what puts an end to it."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from store_plugin.engine import Engine, Fingerprints, LocationLocks, OwnershipPolicy, Rules
from store_plugin.engine.fingerprints import MOST_OF_A_PLACE, MOST_PLACES, UNSETTLED_SECONDS, Known
from store_plugin.errors import Conflict, NotOwner, StoreUnavailable
from store_plugin.model import OWNER_LABEL, Applied, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities
from store_plugin.testing.memory import MemoryData, MemoryStore
from store_plugin.testing.recording import RecordingStore
from tests.support.clock import FakeClock

NAME = ScopedName.parse("team/db")
SECRET = Secret({"a": b"1"}, {OWNER_LABEL: "uid-1"})
DEADLINE = 1e9
INTERVAL = 60.0


class House:
    """The engines of one process over one service, and a store of another process."""

    def __init__(self, capabilities: Capabilities | None = None) -> None:
        self.clock = FakeClock()
        self.data = MemoryData()
        self.locks, self.fingerprints = LocationLocks(), Fingerprints()
        self.capabilities = capabilities or Capabilities(compare_and_set=True, conditional_delete=True)
        self.calls: list[str] = []
        self.other = MemoryStore(self.data, self.capabilities)

    def engine(self, interval: float = INTERVAL, store: MemoryStore | None = None, **rules: object) -> Engine:
        recording = RecordingStore(store or MemoryStore(self.data, self.capabilities))
        recording.calls = self.calls
        return Engine(
            recording,
            Rules(drift_check_interval=interval, **rules),  # type: ignore[arg-type]
            self.locks,
            fingerprints=self.fingerprints,
            sleep=self.clock.sleep,
            clock=self.clock,
        )

    async def calls_of(self, engine: Engine, secret: Secret = SECRET, **options: object) -> list[str]:
        self.calls.clear()
        await engine.apply(NAME, secret, deadline=DEADLINE, **options)  # type: ignore[arg-type]
        return list(self.calls)

    async def change_outside(self, secret: Secret) -> None:
        await self.other.write(NAME, secret, base=await self.other.read(NAME))


@pytest.fixture
def house() -> House:
    return House()


async def test_the_second_identical_apply_makes_no_call(house: House) -> None:
    engine = house.engine()
    assert await house.calls_of(engine) == ["read", "write"]
    assert await house.calls_of(engine) == []


async def test_an_apply_that_found_nothing_to_do_answers_the_next(house: House) -> None:
    await house.change_outside(SECRET)
    engine = house.engine()
    assert await house.calls_of(engine) == ["read"]
    assert await house.calls_of(engine) == []


async def test_the_answer_is_the_one_of_an_unchanged_apply(house: House) -> None:
    engine = house.engine()
    first = await engine.apply(NAME, SECRET, deadline=DEADLINE)
    assert await engine.apply(NAME, SECRET, deadline=DEADLINE) == Applied(False, (), first.version)


async def test_without_an_interval_every_apply_reads(house: House) -> None:
    engine = house.engine(0)
    await house.calls_of(engine)
    assert await house.calls_of(engine) == ["read"]


async def test_the_store_is_read_again_after_the_interval_counted_from_its_read(house: House) -> None:
    engine = house.engine()
    await house.calls_of(engine)
    house.clock.now += INTERVAL
    assert await house.calls_of(engine) == []
    house.clock.now += 0.001
    assert await house.calls_of(engine) == ["read"]


async def test_sixteen_callers_at_once_cost_one_apply(house: House) -> None:
    engine = house.engine()
    applies = [engine.apply(NAME, SECRET, deadline=DEADLINE) for _ in range(16)]
    found = await asyncio.gather(*applies)
    assert house.calls == ["read", "write"]
    assert sorted(applied.changed for applied in found) == [False] * 15 + [True]


@pytest.mark.parametrize(
    "other",
    [
        Secret({"a": b"2"}, SECRET.metadata),
        Secret({"b": b"1"}, SECRET.metadata),
        Secret({"a": b"1", "b": b"1"}, SECRET.metadata),
        Secret({}, SECRET.metadata),
        Secret({"a": b"1"}, {**SECRET.metadata, "team": "a"}),
    ],
    ids=["value", "key", "more keys", "no keys", "metadata"],
)
async def test_another_request_is_not_answered(house: House, other: Secret) -> None:
    engine = house.engine()
    await house.calls_of(engine)
    assert await house.calls_of(engine, other) != []


async def test_another_owner_is_not_answered(house: House) -> None:
    engine = house.engine()
    await house.calls_of(engine)
    with pytest.raises(NotOwner):
        await engine.apply(NAME, Secret(SECRET.data, {OWNER_LABEL: "uid-2"}), deadline=DEADLINE)


async def test_two_owners_of_a_secret_never_answer_for_each_other(house: House) -> None:
    engine = house.engine(ownership=OwnershipPolicy.IGNORE)
    theirs = Secret(SECRET.data, {OWNER_LABEL: "uid-2"})
    for secret in (SECRET, theirs, SECRET, theirs):
        assert await house.calls_of(engine, secret) == ["read", "write"]


async def test_requests_that_take_turns_are_both_answered(house: House) -> None:
    engine = house.engine()
    other = Secret({"b": b"1"}, SECRET.metadata)
    await house.calls_of(engine)
    await house.calls_of(engine, other)
    await house.calls_of(engine)
    assert await house.calls_of(engine) == await house.calls_of(engine, other) == []


@pytest.mark.parametrize("options", [{"dry_run": True}, {"if_version": Version("1")}], ids=str)
async def test_a_dry_run_and_a_conditional_write_always_ask(house: House, options: dict[str, object]) -> None:
    engine = house.engine()
    await house.calls_of(engine)
    assert await house.calls_of(engine, **options) == ["read"]


async def test_a_dry_run_leaves_no_fingerprint(house: House) -> None:
    engine = house.engine()
    await house.calls_of(engine, dry_run=True)
    assert await house.calls_of(engine) == ["read", "write"]


async def test_a_get_always_asks(house: House) -> None:
    engine = house.engine()
    await house.calls_of(engine)
    await house.change_outside(Secret({"a": b"9"}, SECRET.metadata))
    assert (await engine.get(NAME)).secret.data == {"a": b"9"}


# What puts an end to it.


Change = Callable[[Engine], object]
CHANGES = {
    "apply": lambda engine: engine.apply(NAME, Secret({"a": b"2"}, SECRET.metadata), deadline=DEADLINE),
    "conditional apply": lambda engine: engine.apply(
        NAME, Secret({"a": b"2"}, SECRET.metadata), deadline=DEADLINE, if_version=Version("1")
    ),
    "delete": lambda engine: engine.delete(NAME, (), deadline=DEADLINE),
    "delete of a key": lambda engine: engine.delete(NAME, ("a",), deadline=DEADLINE, keep_empty=True),
}


@pytest.mark.parametrize("interval", [0.0, INTERVAL], ids=["without interval", "with interval"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_change_through_any_config_of_the_place_ends_it(
    house: House, change: Callable[[Engine], object], interval: float
) -> None:
    engine, through = house.engine(), house.engine(interval)
    await house.calls_of(engine)
    await change(through)  # type: ignore[misc]
    assert await house.calls_of(engine) == ["read", "write"]


async def test_a_change_of_another_secret_does_not_end_it(house: House) -> None:
    engine = house.engine()
    await house.calls_of(engine)
    await engine.apply(ScopedName.parse("team/other"), SECRET, deadline=DEADLINE)
    assert await house.calls_of(engine) == []


async def test_an_engine_made_anew_knows_nothing(house: House) -> None:
    await house.calls_of(house.engine())
    assert await house.calls_of(house.engine()) == ["read"]


class FailingStore(MemoryStore):
    """Fails its next write, or hangs in it; `late`: what it is told is carried out then."""

    error: BaseException | None = None
    late: Secret | None = None

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        if self.error is None:
            return await super().write(name, secret, base=base)
        error, self.error, self.late = self.error, None, secret
        raise error

    async def carry_out(self) -> None:
        assert self.late is not None
        await super().write(NAME, self.late, base=await self.read(NAME))


@pytest.mark.parametrize("error", [StoreUnavailable("away"), asyncio.CancelledError(), OSError()], ids=repr)
async def test_a_write_that_ended_badly_leaves_no_fingerprint(house: House, error: BaseException) -> None:
    store = FailingStore(house.data, house.capabilities)
    engine = house.engine(UNSETTLED_SECONDS * 2, store)
    store.error = error
    with pytest.raises(type(error)):
        await engine.apply(NAME, SECRET, deadline=DEADLINE)
    assert await house.calls_of(engine) == ["read", "write"]


async def test_a_write_that_is_carried_out_late_is_noticed(house: House) -> None:
    """As a thread does whose caller is gone, or a server whose answer was lost."""
    store = FailingStore(house.data, house.capabilities)
    engine = house.engine(UNSETTLED_SECONDS * 2, store)
    await house.calls_of(engine)
    store.error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await engine.apply(NAME, Secret({"a": b"2"}, SECRET.metadata), deadline=DEADLINE)
    assert await house.calls_of(engine) == ["read"]
    await store.carry_out()
    assert await house.calls_of(engine) == ["read", "write"]


async def test_fingerprints_come_back_when_nothing_can_be_under_way(house: House) -> None:
    store = FailingStore(house.data, house.capabilities)
    engine = house.engine(UNSETTLED_SECONDS * 2, store)
    store.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await engine.apply(NAME, SECRET, deadline=DEADLINE)
    house.clock.now += UNSETTLED_SECONDS
    await house.calls_of(engine)
    assert await house.calls_of(engine) == []


async def test_a_lost_race_leaves_a_fingerprint_of_what_won(house: House) -> None:
    store = FailingStore(house.data, house.capabilities)
    engine = house.engine(store=store)
    store.error = Conflict("somebody was faster")
    assert await house.calls_of(engine) == ["read", "write", "read", "write"]
    assert await house.calls_of(engine) == []


# What is kept.


def known(at: float = 0.0) -> Known:
    return Known(at, Version("1"))


def test_the_least_recently_used_places_are_forgotten() -> None:
    fingerprints = Fingerprints(most_places=3)
    for place in ("a", "b", "c"):
        fingerprints.remember(place, b"f", known())
    assert fingerprints.recall("a", b"f", 0.0)
    fingerprints.remember("d", b"f", known())
    assert [bool(fingerprints.recall(place, b"f", 0.0)) for place in "abcd"] == [True, False, True, True]
    assert len(fingerprints) == 3


def test_one_secret_has_no_more_than_a_few_fingerprints() -> None:
    fingerprints = Fingerprints()
    for number in range(MOST_OF_A_PLACE + 1):
        fingerprints.remember("a", bytes([number]), known())
    found = [bool(fingerprints.recall("a", bytes([number]), 0.0)) for number in range(MOST_OF_A_PLACE + 1)]
    assert found == [False] + [True] * MOST_OF_A_PLACE


def test_a_version_without_end_is_not_kept() -> None:
    fingerprints = Fingerprints()
    fingerprints.remember("a", b"f", Known(0.0, Version("v" * 1000)))
    assert fingerprints.recall("a", b"f", 0.0) is None


def test_each_process_has_a_key_of_its_own() -> None:
    one, other = Fingerprints(), Fingerprints()
    assert one.of(b"1", NAME, SECRET) == one.of(b"1", NAME, replace(SECRET))
    assert one.of(b"1", NAME, SECRET) != other.of(b"1", NAME, SECRET)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Secret({"ab": b"c"}), Secret({"a": b"bc"})),
        (Secret({"a": b"b", "c": b"d"}), Secret({"a": b"b\x00c\x00d"})),
        (Secret({"a": b"b"}), Secret({}, {"a": "b"})),
        (Secret({"a": b""}), Secret({})),
    ],
    ids=["moved border", "joined", "data and metadata", "empty value"],
)
def test_parts_of_a_request_are_kept_apart(one: Secret, other: Secret) -> None:
    fingerprints = Fingerprints()
    assert fingerprints.of(b"1", NAME, one) != fingerprints.of(b"1", NAME, other)


def test_the_order_of_keys_does_not_matter() -> None:
    fingerprints = Fingerprints()
    one = Secret({"a": b"1", "b": b"2"}, {"x": "1", "y": "2"})
    other = Secret({"b": b"2", "a": b"1"}, {"y": "2", "x": "1"})
    assert fingerprints.of(b"1", NAME, one) == fingerprints.of(b"1", NAME, other)


def test_nothing_of_a_secret_is_kept() -> None:
    fingerprints = Fingerprints()
    secret = Secret({"a": b"canary-value"}, {"canary-key": "canary-text"})
    fingerprints.remember("canary-place", fingerprints.of(b"1", NAME, secret), known())
    found = [found for found in gc.get_referents(fingerprints.__dict__) if "canary" in repr(found)]
    assert found == []


def test_a_full_memory_takes_a_few_megabytes_whatever_the_secrets() -> None:
    tracemalloc.start()
    try:
        fingerprints = Fingerprints()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(MOST_PLACES * 2):
            location = f"vault:https://vault.example.com:8200/secret/{number}/" + "long" * 200
            of = fingerprints.of(b"1", NAME, Secret({"a": b"x" * 100}))
            fingerprints.remember(location, of, Known(float(number), Version("v" * 64 + str(number))))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(fingerprints) == MOST_PLACES
    assert grown < 1_000 * MOST_PLACES
