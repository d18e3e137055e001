"""The rules over a store, where the contract suite does not reach: who may do what, lost
races against a clock, limits, secrets that are not finished, and the locks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from store_plugin.engine import SETTLE_SECONDS, Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import (
    Conflict,
    InvalidRequest,
    NotOwner,
    StoreUnavailable,
    TooLarge,
    VersionNotFound,
)
from store_plugin.model import (
    NO_SECRET,
    OWNER_LABEL,
    ChangeKind,
    KeyChange,
    Presence,
    ScopedName,
    Secret,
    StoredSecret,
    Version,
)
from store_plugin.store import Capabilities, Limits
from store_plugin.testing.memory import DEFAULT_CAPABILITIES, MemoryData, MemoryStore
from store_plugin.testing.recording import RecordingStore
from tests.support.clock import FakeClock

NAME = ScopedName.parse("team/db")
DEADLINE = 30.0
ENFORCE, ADOPT, IGNORE = OwnershipPolicy


class OddStore(MemoryStore):
    """A memory store that loses races, takes time, or shows secrets as not finished."""

    def __init__(self, clock: FakeClock, *, lost_races: int = 0, seconds_a_call: float = 0.0) -> None:
        super().__init__()
        self.clock = clock
        self.lost_races = lost_races
        self.seconds_a_call = seconds_a_call
        self.created: float | None = None
        self.reads = 0

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        self.reads += 1
        self.clock.now += self.seconds_a_call
        stored = await super().read(name, version)
        age = None if self.created is None else self.clock.now - self.created
        return replace(stored, unfinished_age=age)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        self._race()
        return await super().write(name, secret, base=base)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        self._race()
        await super().delete(name, base=base)

    def _race(self) -> None:
        if self.lost_races:
            self.lost_races -= 1
            raise Conflict("somebody was faster")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def locks() -> LocationLocks:
    return LocationLocks()


@pytest.fixture(autouse=True)
async def no_lock_stays(locks: LocationLocks) -> AsyncIterator[None]:
    yield
    assert len(locks) == 0


@pytest.fixture
def engine_over(clock: FakeClock, locks: LocationLocks) -> Callable[..., Engine]:
    def engine_over(store: MemoryStore, **rules: object) -> Engine:
        return Engine(store, Rules(**rules), locks, sleep=clock.sleep, clock=clock)  # type: ignore[arg-type]

    return engine_over


async def held(secret: Secret, capabilities: Capabilities = DEFAULT_CAPABILITIES) -> RecordingStore:
    """A store that holds one secret."""
    store = MemoryStore(MemoryData(), capabilities)
    await store.write(NAME, secret, base=await store.read(NAME))
    return RecordingStore(store)


def secret_of(owner: str | None, data: dict[str, bytes] | None = None) -> Secret:
    return Secret({"a": b"1"} if data is None else data, {OWNER_LABEL: owner} if owner else {})


# who may do what


@pytest.mark.parametrize(
    ("policy", "stored", "request_", "allowed"),
    [
        (ENFORCE, "me", "me", True),
        (ENFORCE, "me", "you", False),
        (ENFORCE, "me", None, False),
        (ENFORCE, None, "me", False),
        (ENFORCE, None, None, True),
        (ADOPT, "me", "me", True),
        (ADOPT, "me", "you", False),
        (ADOPT, "me", None, False),
        (ADOPT, None, "me", True),
        (ADOPT, None, None, True),
        (IGNORE, "me", "me", True),
        (IGNORE, "me", "you", True),
        (IGNORE, "me", None, True),
        (IGNORE, None, "me", True),
        (IGNORE, None, None, True),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True], ids=["real", "dry-run"])
async def test_who_may_apply(
    engine_over: Callable[..., Engine],
    policy: OwnershipPolicy,
    stored: str | None,
    request_: str | None,
    allowed: bool,
    dry_run: bool,
) -> None:
    store = await held(secret_of(stored))
    engine = engine_over(store, ownership=policy)
    call = engine.apply(NAME, secret_of(request_, {"a": b"2"}), deadline=DEADLINE, dry_run=dry_run)
    if allowed:
        assert (await call).changed
        assert store.writes == (0 if dry_run else 1)
    else:
        with pytest.raises(NotOwner):
            await call
        assert store.writes == 0


@pytest.mark.parametrize(
    ("policy", "stored", "request_", "required", "allowed"),
    [
        (ENFORCE, "me", "me", False, True),
        (ENFORCE, "me", "you", False, False),
        (ENFORCE, "me", None, False, True),
        (ENFORCE, None, "me", False, False),
        (ENFORCE, None, None, False, True),
        (ENFORCE, "me", "me", True, True),
        (ENFORCE, "me", "you", True, False),
        (ENFORCE, "me", None, True, False),
        (ENFORCE, None, None, True, True),
        (ADOPT, "me", "you", False, False),
        (ADOPT, None, "me", False, True),
        (ADOPT, "me", None, True, False),
        (IGNORE, "me", "you", False, True),
        (IGNORE, "me", None, True, True),
        (IGNORE, None, "me", True, True),
    ],
)
@pytest.mark.parametrize("keys", [["a"], []], ids=["key", "whole"])
@pytest.mark.parametrize("dry_run", [False, True], ids=["real", "dry-run"])
async def test_who_may_delete(
    engine_over: Callable[..., Engine],
    policy: OwnershipPolicy,
    stored: str | None,
    request_: str | None,
    required: bool,
    allowed: bool,
    keys: list[str],
    dry_run: bool,
) -> None:
    store = await held(secret_of(stored))
    engine = engine_over(store, ownership=policy, require_owner_on_delete=required)
    call = engine.delete(NAME, keys, deadline=DEADLINE, owner=request_, dry_run=dry_run)
    if allowed:
        assert await call == (KeyChange("a", ChangeKind.REMOVED),)
        assert store.writes == (0 if dry_run else 1)
    else:
        with pytest.raises(NotOwner):
            await call
        assert store.writes == 0


@pytest.mark.parametrize(("request_", "words"), [("you", 'not owned by UID "you"'), (None, "no owner label")])
async def test_a_refusal_names_the_secret_and_the_caller_and_not_the_owner(
    engine_over: Callable[..., Engine], request_: str | None, words: str
) -> None:
    engine = engine_over(await held(secret_of("the-owner")))
    with pytest.raises(NotOwner, match=words) as caught:
        await engine.apply(NAME, secret_of(request_), deadline=DEADLINE)
    assert str(NAME) in caught.value.message
    assert "the-owner" not in caught.value.message


async def test_the_same_data_by_another_owner_is_refused_too(engine_over: Callable[..., Engine]) -> None:
    engine = engine_over(await held(secret_of("me")))
    with pytest.raises(NotOwner):
        await engine.apply(NAME, secret_of("you"), deadline=DEADLINE)


async def test_ownership_is_decided_on_the_read_that_the_write_is_based_on(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    """A secret that another owner creates between our read and our write is refused."""

    class Overtaken(OddStore):
        async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
            if self.reads == 1:
                await MemoryStore.write(self, name, secret_of("faster"), base=base)
            return await super().write(name, secret, base=base)

    with pytest.raises(NotOwner):
        await engine_over(Overtaken(clock)).apply(NAME, secret_of("me"), deadline=DEADLINE)


# updatePolicy


async def test_if_not_exists_leaves_what_is_there(engine_over: Callable[..., Engine]) -> None:
    store = await held(secret_of("me"))
    engine = engine_over(store, keep_existing=True)
    applied = await engine.apply(NAME, secret_of("me", {"a": b"2", "b": b"3"}), deadline=DEADLINE)
    assert (applied.changed, applied.changes, store.writes) == (False, (), 0)
    with pytest.raises(NotOwner):
        await engine.apply(NAME, secret_of("you"), deadline=DEADLINE)


async def test_if_not_exists_creates_what_is_missing(engine_over: Callable[..., Engine]) -> None:
    engine = engine_over(MemoryStore(), keep_existing=True)
    assert (await engine.apply(NAME, secret_of("me"), deadline=DEADLINE)).changed


# lost races


@pytest.mark.parametrize("lost_races", [1, 2, 10])
async def test_a_lost_race_is_tried_again(
    engine_over: Callable[..., Engine], clock: FakeClock, lost_races: int
) -> None:
    store = OddStore(clock, lost_races=lost_races)
    assert (await engine_over(store).apply(NAME, secret_of(None), deadline=DEADLINE)).changed
    assert store.reads == lost_races + 1
    assert len(clock.pauses) == lost_races


async def test_a_removal_that_lost_the_race_is_tried_again(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    store = OddStore(clock)
    engine = engine_over(store)
    await engine.apply(NAME, secret_of(None, {"a": b"1", "b": b"2"}), deadline=DEADLINE)
    for keys in (["a"], []):
        store.lost_races = 3
        assert await engine.delete(NAME, keys, deadline=DEADLINE)
    assert not (await engine.get(NAME)).present


async def test_a_race_lost_until_the_deadline_is_a_conflict(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    store = OddStore(clock, lost_races=1_000_000)
    with pytest.raises(Conflict, match=str(NAME)) as caught:
        await engine_over(store).apply(NAME, secret_of(None), deadline=DEADLINE)
    assert caught.value.retry_after is not None
    assert DEADLINE - 1 < clock.now < DEADLINE
    assert store.reads > 30


async def test_pauses_grow_up_to_half_a_second(engine_over: Callable[..., Engine], clock: FakeClock) -> None:
    with pytest.raises(Conflict):
        await engine_over(OddStore(clock, lost_races=1000)).apply(NAME, secret_of(None), deadline=DEADLINE)
    assert clock.pauses[0] <= 0.005
    assert all(0.25 <= pause <= 0.5 for pause in clock.pauses[8:])
    assert len(set(clock.pauses)) == len(clock.pauses), "pauses are jittered"


async def test_no_try_is_begun_that_cannot_end_in_time(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    store = OddStore(clock, lost_races=1000, seconds_a_call=8.0)
    with pytest.raises(Conflict):
        await engine_over(store).apply(NAME, secret_of(None), deadline=DEADLINE)
    assert store.reads == 3
    assert clock.now < DEADLINE


async def test_after_the_deadline_a_lost_race_is_not_tried_again(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    store = OddStore(clock, lost_races=1)
    with pytest.raises(Conflict):
        await engine_over(store).apply(NAME, secret_of(None), deadline=0.0)
    assert (store.reads, clock.pauses) == (1, [])


async def test_other_errors_are_not_tried_again(engine_over: Callable[..., Engine], clock: FakeClock) -> None:
    class Away(OddStore):
        async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
            raise StoreUnavailable("away")

    store = Away(clock)
    with pytest.raises(StoreUnavailable):
        await engine_over(store).apply(NAME, secret_of(None), deadline=DEADLINE)
    assert store.reads == 1


# versions


@pytest.mark.parametrize(
    ("present", "wanted", "fits"),
    [
        (True, "1", True),
        (True, "2", False),
        (True, NO_SECRET, False),
        (True, "no number", False),
        (False, NO_SECRET, True),
        (False, "1", False),
    ],
)
async def test_if_version_demands_the_current_version(
    engine_over: Callable[..., Engine], present: bool, wanted: str, fits: bool
) -> None:
    store = await held(secret_of(None)) if present else RecordingStore(MemoryStore())
    call = engine_over(store).apply(
        NAME, secret_of(None, {"b": b"2"}), deadline=DEADLINE, if_version=Version(wanted)
    )
    if fits:
        assert (await call).changed
    else:
        with pytest.raises(Conflict, match=str(NAME)):
            await call
        assert store.writes == 0


async def test_with_if_version_a_lost_race_is_not_tried_again(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    store = OddStore(clock, lost_races=1)
    with pytest.raises(Conflict):
        await engine_over(store).apply(NAME, secret_of(None), deadline=DEADLINE, if_version=NO_SECRET)
    assert store.reads == 1


async def test_if_version_counts_for_a_dry_run_and_an_unchanged_apply_too(
    engine_over: Callable[..., Engine],
) -> None:
    store = await held(secret_of(None))
    engine = engine_over(store)
    for dry_run in (False, True):
        with pytest.raises(Conflict, match="is at version 1, not 9"):
            await engine.apply(
                NAME, secret_of(None), deadline=DEADLINE, if_version=Version("9"), dry_run=dry_run
            )
    assert store.calls == ["read", "read"]


async def test_a_version_that_is_a_tombstone_is_not_found(engine_over: Callable[..., Engine]) -> None:
    class Buried(MemoryStore):
        async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
            return StoredSecret(Presence.TOMBSTONE, version=Version("3"))

    engine = engine_over(Buried(capabilities=replace(DEFAULT_CAPABILITIES, versions=True)))
    with pytest.raises(VersionNotFound):
        await engine.get(NAME, version=Version("3"))


async def test_what_a_store_shows_of_a_tombstone_counts_for_nothing(
    engine_over: Callable[..., Engine],
) -> None:
    class Buried(MemoryStore):
        async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
            return StoredSecret(Presence.TOMBSTONE, secret_of("old", {"old": b"1"}), Version("1"))

    applied = await engine_over(Buried()).apply(NAME, secret_of("me"), deadline=DEADLINE, dry_run=True)
    assert applied.changes == (KeyChange("a", ChangeKind.ADDED), KeyChange(OWNER_LABEL, ChangeKind.METADATA))


async def test_an_option_the_store_cannot_keep_is_refused(engine_over: Callable[..., Engine]) -> None:
    blind = RecordingStore(
        MemoryStore(capabilities=Capabilities(compare_and_set=False, conditional_delete=False))
    )
    with pytest.raises(InvalidRequest):
        await engine_over(blind).apply(NAME, secret_of(None), deadline=DEADLINE, if_version=NO_SECRET)
    with pytest.raises(InvalidRequest):
        await engine_over(blind).get(NAME, version=Version("1"))
    assert blind.calls == []


# secrets whose creator has yet to write the owner


async def unfinished(clock: FakeClock, age: float, secret: Secret | None = None) -> OddStore:
    store = OddStore(clock)
    await store.write(NAME, secret or secret_of(None), base=await store.read(NAME))
    store.created = clock.now - age
    return store


@pytest.mark.parametrize("policy", [ENFORCE, ADOPT])
async def test_a_secret_just_created_is_a_lost_race(
    engine_over: Callable[..., Engine], clock: FakeClock, policy: OwnershipPolicy
) -> None:
    store = await unfinished(clock, age=0.0)
    with pytest.raises(Conflict):
        await engine_over(store, ownership=policy).apply(NAME, secret_of("me"), deadline=SETTLE_SECONDS - 1)


async def test_while_waiting_the_creator_writes_its_owner(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    class Finishing(OddStore):
        async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
            if self.reads == 5:
                base = await MemoryStore.read(self, name)
                await MemoryStore.write(self, name, secret_of("creator"), base=base)
                self.created = None
            return await super().read(name, version)

    store = Finishing(clock)
    await store.write(NAME, secret_of(None), base=await store.read(NAME))
    store.created = 0.0
    with pytest.raises(NotOwner):
        await engine_over(store).apply(NAME, secret_of("me"), deadline=DEADLINE)


async def test_after_a_crash_the_same_apply_adopts_its_secret(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    engine = engine_over(await unfinished(clock, age=0.0))
    applied = await engine.apply(NAME, secret_of("me"), deadline=DEADLINE)
    assert applied.changes == (KeyChange(OWNER_LABEL, ChangeKind.METADATA),)
    assert clock.now >= SETTLE_SECONDS


@pytest.mark.parametrize(
    ("stored", "applied"),
    [({"a": b"1"}, {"a": b"2"}), ({"a": b"1"}, {"a": b"1", "b": b"2"}), ({"a": b"1"}, {}), ({}, {})],
    ids=["other-value", "more-keys", "fewer-keys", "both-empty"],
)
async def test_another_apply_does_not_adopt_it(
    engine_over: Callable[..., Engine],
    clock: FakeClock,
    stored: dict[str, bytes],
    applied: dict[str, bytes],
) -> None:
    store = await unfinished(clock, SETTLE_SECONDS, secret_of(None, stored))
    with pytest.raises(NotOwner):
        await engine_over(store).apply(NAME, secret_of("me", applied), deadline=DEADLINE)


async def test_an_apply_of_data_alone_does_not_wait(
    engine_over: Callable[..., Engine], clock: FakeClock
) -> None:
    store = await unfinished(clock, age=0.0)
    assert (await engine_over(store).apply(NAME, secret_of(None, {"b": b"2"}), deadline=DEADLINE)).changed
    assert clock.pauses == []


@pytest.mark.parametrize("policy", [ENFORCE, ADOPT, IGNORE])
async def test_an_apply_of_metadata_waits_until_the_creator_has_written_its_own(
    engine_over: Callable[..., Engine], clock: FakeClock, policy: OwnershipPolicy
) -> None:
    engine = engine_over(await unfinished(clock, age=0.0), ownership=policy)
    with pytest.raises(Conflict):
        await engine.apply(NAME, Secret({}, {"label": "x"}), deadline=SETTLE_SECONDS - 1)
    assert (await engine.apply(NAME, Secret({}, {"label": "x"}), deadline=DEADLINE)).changed


@pytest.mark.parametrize(
    ("policy", "owner", "required", "waits"),
    [
        (ENFORCE, "me", False, True),
        (ADOPT, "me", False, True),
        (IGNORE, "me", False, False),
        (ENFORCE, None, False, False),
        (ENFORCE, None, True, True),
    ],
)
async def test_a_delete_that_asks_for_the_owner_waits_for_it(
    engine_over: Callable[..., Engine],
    clock: FakeClock,
    policy: OwnershipPolicy,
    owner: str | None,
    required: bool,
    waits: bool,
) -> None:
    store = await unfinished(clock, age=0.0)
    engine = engine_over(store, ownership=policy, require_owner_on_delete=required)
    delete = engine.delete(NAME, [], deadline=SETTLE_SECONDS - 1, owner=owner)
    if waits:
        with pytest.raises(Conflict):
            await delete
    else:
        assert await delete
        assert clock.pauses == []


async def test_a_finished_unowned_secret_is_not_adopted_even_with_the_same_data(
    engine_over: Callable[..., Engine],
) -> None:
    with pytest.raises(NotOwner):
        await engine_over(await held(secret_of(None))).apply(NAME, secret_of("me"), deadline=DEADLINE)


# limits

SMALL = Limits(data_bytes=10, keys=3, metadata_entries=2, metadata_key_bytes=4, metadata_value_bytes=4)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (Secret({"a": b"x" * 10}), None),
        (Secret({"a": b"x" * 11}), "11 bytes of data; the store holds at most 10"),
        (Secret({"a": b"", "b": b"", "c": b""}), None),
        (Secret({"a": b"", "b": b"", "c": b"", "d": b""}), "4 keys; the store holds at most 3"),
        (Secret({}, {"a": "1", "b": "2"}), None),
        (Secret({}, {"a": "1", "b": "2", "c": "3"}), "3 metadata entries; the store holds at most 2"),
        (Secret({}, {"keys": "1"}), None),
        (Secret({}, {"ké€": "1"}), "6 bytes in a metadata key; the store holds at most 4"),
        (Secret({}, {"a": "four"}), None),
        (Secret({}, {"a": "€€"}), "6 bytes in a metadata value; the store holds at most 4"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True], ids=["real", "dry-run"])
async def test_what_the_store_cannot_hold_is_refused(
    engine_over: Callable[..., Engine], secret: Secret, message: str | None, dry_run: bool
) -> None:
    store = RecordingStore(MemoryStore(capabilities=replace(DEFAULT_CAPABILITIES, limits=SMALL)))
    call = engine_over(store).apply(NAME, secret, deadline=DEADLINE, dry_run=dry_run)
    if message is None:
        assert (await call).changed
    else:
        with pytest.raises(TooLarge, match=message):
            await call
        assert store.writes == 0


async def test_the_limit_counts_for_the_merged_secret(engine_over: Callable[..., Engine]) -> None:
    store = await held(Secret({"a": b"x" * 6}), replace(DEFAULT_CAPABILITIES, limits=SMALL))
    engine = engine_over(store)
    with pytest.raises(TooLarge, match="12 bytes"):
        await engine.apply(NAME, Secret({"b": b"x" * 6}), deadline=DEADLINE)
    assert (await engine.apply(NAME, Secret({"a": b"x" * 10}), deadline=DEADLINE)).changed


async def test_a_secret_that_is_too_large_already_can_be_made_smaller(
    engine_over: Callable[..., Engine],
) -> None:
    store = await held(Secret({"a": b"x" * 50, "b": b"y" * 5}), replace(DEFAULT_CAPABILITIES, limits=SMALL))
    await engine_over(store).delete(NAME, ["a"], deadline=DEADLINE)
    assert (await store.read(NAME)).secret.data == {"b": b"y" * 5}


# what it costs


@pytest.mark.parametrize(
    ("request_", "calls"),
    [(secret_of("me"), ["read"]), (secret_of("me", {"b": b"2"}), ["read", "write"])],
    ids=["unchanged", "changed"],
)
async def test_an_apply_is_one_read_and_at_most_one_write(
    engine_over: Callable[..., Engine], request_: Secret, calls: list[str]
) -> None:
    store = await held(secret_of("me"))
    await engine_over(store).apply(NAME, request_, deadline=DEADLINE)
    assert store.calls == calls


# locks


async def test_writers_queue_and_readers_do_not(locks: LocationLocks) -> None:
    store = SlowStore()
    engine = Engine(store, Rules(), locks)
    deadline = asyncio.get_running_loop().time() + 30
    writers = [asyncio.create_task(engine.apply(NAME, secret_of(None), deadline=deadline)) for _ in range(3)]
    await store.entered.wait()
    assert (store.writing, len(locks)) == (1, 1)
    assert not (await engine.get(NAME)).present
    assert (await engine.apply(NAME, secret_of(None), deadline=deadline, dry_run=True)).changed
    store.release.set()
    results = await asyncio.gather(*writers)
    assert [applied.changed for applied in results] == [True, False, False]
    assert store.most_writing == 1


async def test_a_swapped_engine_queues_behind_the_old_one(locks: LocationLocks) -> None:
    data = MemoryData()
    old, new = SlowStore(data), MemoryStore(data)
    deadline = asyncio.get_running_loop().time() + 30
    first = asyncio.create_task(Engine(old, Rules(), locks).apply(NAME, secret_of(None), deadline=deadline))
    await old.entered.wait()
    second = asyncio.create_task(
        Engine(new, Rules(), locks).apply(NAME, secret_of(None, {"b": b"2"}), deadline=deadline)
    )
    for _ in range(10):
        await asyncio.sleep(0)
    assert not second.done()
    old.release.set()
    await asyncio.gather(first, second)
    assert (await new.read(NAME)).secret.data == {"a": b"1", "b": b"2"}


async def test_other_names_do_not_wait(locks: LocationLocks) -> None:
    store = SlowStore()
    engine = Engine(store, Rules(), locks)
    deadline = asyncio.get_running_loop().time() + 30
    first = asyncio.create_task(engine.apply(NAME, secret_of(None), deadline=deadline))
    await store.entered.wait()
    store.entered.clear()
    second = asyncio.create_task(engine.apply(ScopedName.parse("team/x"), secret_of(None), deadline=deadline))
    await store.entered.wait()
    assert (store.writing, len(locks)) == (2, 2)
    store.release.set()
    await asyncio.gather(first, second)


async def test_a_writer_cancelled_while_it_waits_leaves_the_queue(locks: LocationLocks) -> None:
    store = SlowStore()
    engine = Engine(store, Rules(), locks)
    deadline = asyncio.get_running_loop().time() + 30
    first, waiting, last = (
        asyncio.create_task(engine.apply(NAME, secret_of(None, {key: b"1"}), deadline=deadline))
        for key in ("first", "waiting", "last")
    )
    await store.entered.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    store.release.set()
    await asyncio.gather(first, last)
    assert (await store.read(NAME)).secret.data.keys() == {"first", "last"}


async def test_a_writer_cancelled_while_it_writes_frees_the_lock(locks: LocationLocks) -> None:
    store = SlowStore()
    engine = Engine(store, Rules(), locks)
    deadline = asyncio.get_running_loop().time() + 30
    writing = asyncio.create_task(engine.apply(NAME, secret_of(None), deadline=deadline))
    await store.entered.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert len(locks) == 0
    store.release.set()
    assert (await engine.apply(NAME, secret_of(None), deadline=deadline)).changed


async def test_a_failed_writer_frees_the_lock(
    engine_over: Callable[..., Engine], locks: LocationLocks
) -> None:
    engine = engine_over(await held(secret_of("me")))
    with pytest.raises(NotOwner):
        await engine.apply(NAME, secret_of("you"), deadline=DEADLINE)
    with pytest.raises(NotOwner):
        await engine.delete(NAME, [], owner="you", deadline=DEADLINE)
    assert len(locks) == 0


class SlowStore(MemoryStore):
    """Writes wait until they are released; counts how many are at it."""

    def __init__(self, data: MemoryData | None = None) -> None:
        super().__init__(data)
        self.entered, self.release = asyncio.Event(), asyncio.Event()
        self.writing = self.most_writing = 0

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        self.writing += 1
        self.most_writing = max(self.writing, self.most_writing)
        self.entered.set()
        try:
            await self.release.wait()
            return await super().write(name, secret, base=base)
        finally:
            self.writing -= 1
