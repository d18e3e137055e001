"""What is stored but cannot be read, such as a document that was written half: never merged
into, replaced only where the config says so, and removed like any other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from store_plugin.engine import Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import DocumentInvalid, NotOwner
from store_plugin.model import OWNER_LABEL, ScopedName, Secret, StoredSecret, Version
from store_plugin.testing.memory import MemoryStore

NAME = ScopedName.parse("team/db")
SECRET = Secret({"a": b"1"}, {OWNER_LABEL: "uid-1"})
DEADLINE = 1e9


class HalfWrittenStore(MemoryStore):
    """Cannot read what it held at first."""

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        stored = await super().read(name, version)
        if stored.version != "1":
            return stored
        kept = Secret({}, stored.secret.metadata)
        return replace(stored, secret=kept, unreadable=f"what is stored under {name} is torn")


@pytest.fixture
async def store() -> HalfWrittenStore:
    store = HalfWrittenStore()
    await store.write(NAME, SECRET, base=await store.read(NAME))
    return store


@pytest.fixture
async def engine_with(store: HalfWrittenStore) -> Callable[..., Engine]:
    return lambda **rules: Engine(store, Rules(**rules), LocationLocks())


async def test_it_cannot_be_got(engine_with: Callable[..., Engine]) -> None:
    with pytest.raises(DocumentInvalid, match="team/db"):
        await engine_with().get(NAME)


@pytest.mark.parametrize("policy", [OwnershipPolicy.ENFORCE, OwnershipPolicy.ADOPT])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_it_is_not_written_over(
    engine_with: Callable[..., Engine], store: MemoryStore, policy: OwnershipPolicy, dry_run: bool
) -> None:
    with pytest.raises(DocumentInvalid, match=r"team/db.*ownership.policy"):
        await engine_with(ownership=policy).apply(NAME, SECRET, deadline=DEADLINE, dry_run=dry_run)
    assert len(store.data.history(NAME)) == 1


@pytest.mark.parametrize("data", [{"b": b"2"}, {}], ids=["with data", "empty"])
async def test_the_policy_ignore_replaces_it(
    engine_with: Callable[..., Engine], store: MemoryStore, data: dict[str, bytes]
) -> None:
    request = Secret(data, {"team": "a"})
    applied = await engine_with(ownership=OwnershipPolicy.IGNORE).apply(NAME, request, deadline=DEADLINE)
    assert applied.changed
    assert (await store.read(NAME)).secret == Secret(data, {**SECRET.metadata, "team": "a"})


async def test_it_can_be_deleted(engine_with: Callable[..., Engine], store: MemoryStore) -> None:
    await engine_with().delete(NAME, (), deadline=DEADLINE, owner="uid-1")
    assert not (await store.read(NAME)).present


async def test_it_can_be_emptied(engine_with: Callable[..., Engine], store: MemoryStore) -> None:
    await engine_with().delete(NAME, (), deadline=DEADLINE, keep_empty=True)
    assert (await store.read(NAME)).secret == Secret({}, SECRET.metadata)


async def test_it_is_deleted_for_its_owner_only(engine_with: Callable[..., Engine]) -> None:
    with pytest.raises(NotOwner):
        await engine_with().delete(NAME, (), deadline=DEADLINE, owner="uid-2")


@pytest.mark.parametrize("policy", list(OwnershipPolicy))
async def test_keys_of_it_cannot_be_deleted(
    engine_with: Callable[..., Engine], store: MemoryStore, policy: OwnershipPolicy
) -> None:
    with pytest.raises(DocumentInvalid):
        await engine_with(ownership=policy).delete(NAME, ("a",), deadline=DEADLINE)
    assert len(store.data.history(NAME)) == 1
