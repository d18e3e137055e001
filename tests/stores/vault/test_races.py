"""Writers that are at it at the same time, and creators that did not finish."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from store_plugin.errors import Conflict, NotOwner, StoreDenied
from store_plugin.model import ABSENT, OWNER_LABEL, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Store
from stores.vault.kv import held
from stores.vault.store import VaultStore
from tests.stores.vault.opening import engine_over, open_with_token, soon
from tests.support.openbao import OpenBao

NAME = ScopedName.parse("team-a/db")
SECRET = Secret({"user": b"admin"}, {OWNER_LABEL: "uid-1"})


@pytest.fixture
def mount(bao: OpenBao) -> str:
    return bao.mount_kv("v2")


@pytest.fixture
async def stores(bao: OpenBao, mount: str) -> AsyncIterator[list[VaultStore]]:
    stores = [await open_with_token(bao, mount) for _ in range(2)]
    yield stores
    for store in stores:
        await store.aclose()


async def test_sixteen_writers_through_two_processes_lose_nothing(
    bao: OpenBao, mount: str, stores: list[VaultStore]
) -> None:
    """A third party deletes softly in between: keys acknowledged after the last of it are there."""
    engines = [engine_over(store) for store in stores]

    async def write(number: int) -> None:
        request = Secret({f"key-{number}": b"x"}, SECRET.metadata)
        await engines[number % 2].apply(NAME, request, deadline=soon(60))

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(write(number))
        await asyncio.to_thread(bao.api, "DELETE", f"{mount}/data/{NAME}")
    bao.api("DELETE", f"{mount}/data/{NAME}")
    async with asyncio.TaskGroup() as group:
        for number in range(16):
            group.create_task(write(number))
    stored = (await engines[0].get(NAME)).secret
    assert stored == Secret({f"key-{number}": b"x" for number in range(16)}, SECRET.metadata)


async def test_a_soft_deletion_in_between_is_noticed(
    bao: OpenBao, mount: str, stores: list[VaultStore]
) -> None:
    """The version stays what it was, but what was merged into is gone: the next version
    holds what the caller was told."""
    engine = engine_over(stores[0])
    await engine.apply(NAME, SECRET, deadline=soon())
    bao.api("DELETE", f"{mount}/data/{NAME}")
    applied = await engine.apply(NAME, Secret({"new": b"1"}, {OWNER_LABEL: "uid-2"}), deadline=soon())
    assert applied.version == "2"
    assert (await engine.get(NAME)).secret == Secret({"new": b"1"}, {OWNER_LABEL: "uid-2"})


# A creator that ended between data and metadata.


@pytest.fixture
async def half_created(bao: OpenBao, mount: str, stores: list[VaultStore]) -> VaultStore:
    """The data of SECRET is there and its metadata is not; a store to go on with."""
    policy = bao.policy({f"{mount}/data/*": ["create", "read", "update"]})
    store = await open_with_token(bao, mount, token=bao.token([policy]))
    with pytest.raises(StoreDenied):
        await store.write(NAME, SECRET, base=ABSENT)
    await store.aclose()
    return stores[0]


class Later:
    """A store in front of another: unfinished secrets look a minute older than they are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.capabilities = store.capabilities
        self.location, self.write, self.delete = store.location, store.write, store.delete
        self.names, self.check, self.aclose = store.names, store.check, store.aclose

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        stored = await self._store.read(name, version)
        return stored if stored.unfinished_age is None else replace(stored, unfinished_age=60.0)


async def test_a_creator_has_some_seconds_to_finish(half_created: VaultStore) -> None:
    with pytest.raises(Conflict):
        await engine_over(half_created).apply(NAME, SECRET, deadline=soon(0.1))


async def test_its_own_unfinished_create_is_finished(half_created: VaultStore) -> None:
    engine = engine_over(Later(half_created))
    assert (await engine.apply(NAME, SECRET, deadline=soon())).changed
    assert (await engine.get(NAME)).secret == SECRET


@pytest.mark.parametrize(
    "request_data",
    [{"user": b"root"}, {}, {"user": b"admin", "more": b"x"}],
    ids=["other-data", "no-data", "more-data"],
)
async def test_the_unfinished_create_of_somebody_else_is_not_taken(
    half_created: VaultStore, request_data: dict[str, bytes]
) -> None:
    with pytest.raises(NotOwner):
        await engine_over(Later(half_created)).apply(
            NAME, Secret(request_data, SECRET.metadata), deadline=soon()
        )


async def test_age_is_told_by_the_servers_clock(half_created: VaultStore) -> None:
    age = (await half_created.read(NAME)).unfinished_age
    assert age is not None
    assert 0 <= age < 60


async def test_only_a_first_version_without_metadata_is_unfinished(stores: list[VaultStore]) -> None:
    await stores[0].write(NAME, SECRET, base=ABSENT)
    assert (await stores[0].read(NAME)).unfinished_age is None
    other = ScopedName.parse("team-a/unowned")
    await stores[0].write(other, Secret({"a": b"1"}), base=ABSENT)
    assert (await stores[0].read(other)).unfinished_age is not None
    await stores[0].write(other, Secret({"a": b"2"}), base=await stores[0].read(other))
    assert (await stores[0].read(other)).unfinished_age is None


@pytest.mark.parametrize(
    ("created", "date", "age"),
    [
        pytest.param("2026-01-02T03:04:05.5Z", "Fri, 02 Jan 2026 03:04:15 GMT", 9.5, id="seconds"),
        pytest.param(
            "2026-01-02T03:04:05.999999999Z", "Fri, 02 Jan 2026 03:04:05 GMT", 0.0, id="nanoseconds"
        ),
        pytest.param("2026-01-02T03:04:05Z", None, None, id="no-date"),
        pytest.param("2026-01-02T03:04:05Z", "yesterday", None, id="odd-date"),
        pytest.param("yesterday", "Fri, 02 Jan 2026 03:04:15 GMT", None, id="odd-creation"),
        pytest.param(None, "Fri, 02 Jan 2026 03:04:15 GMT", None, id="no-creation"),
    ],
)
def test_ages(created: object, date: str | None, age: float | None) -> None:
    assert held.age_of(created, date) == age
