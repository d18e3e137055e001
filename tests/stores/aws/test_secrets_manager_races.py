"""Writers who do not know of each other, and writers who end in the middle."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from store_plugin.errors import Conflict, NotOwner, StoreUnavailable
from store_plugin.model import ABSENT, OWNER_LABEL, Presence, ScopedName, Secret
from stores.aws.secrets_manager import version_ids
from stores.aws.secrets_manager.contents import PENDING
from stores.aws.store import AWSStore
from tests.stores.aws.opening import engine_over, new_prefix, open_static, soon
from tests.support.moto import Moto

NAME = ScopedName.parse("team-a/db")
OWNED = {OWNER_LABEL: "uid-1"}
SECRET = Secret({"user": b"admin"}, OWNED)


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest.fixture
def full(prefix: str) -> str:
    return f"{prefix}/{NAME}"


@pytest.fixture
def aws(moto: Moto) -> Any:
    return moto.client("secretsmanager")


@pytest.fixture
async def stores(moto: Moto, prefix: str) -> AsyncIterator[list[AWSStore]]:
    stores = [await open_static(moto.address, prefix=prefix) for _ in range(2)]
    yield stores
    for store in stores:
        await store.aclose()


def stages(aws: Any, full: str) -> dict[str, list[str]]:
    """Labels by version, of those that have any."""
    found = aws.describe_secret(SecretId=full)["VersionIdsToStages"]
    return {version: labels for version, labels in found.items() if labels}


@pytest.mark.parametrize("run", range(20))
@pytest.mark.parametrize("processes", [1, 2])
async def test_sixteen_writers_lose_nothing(
    aws: Any, full: str, stores: list[AWSStore], processes: int, run: int
) -> None:
    """Each process has an engine, and so locks, of its own."""
    engines = [engine_over(store) for store in stores[:processes]]
    async with asyncio.TaskGroup() as group:
        for number in range(16):
            request = Secret({f"key-{number}": b"x"}, OWNED)
            group.create_task(engines[number % processes].apply(NAME, request, deadline=soon(60)))
    stored = (await engines[0].get(NAME)).secret
    assert stored == Secret({f"key-{number}": b"x" for number in range(16)}, OWNED)
    assert not [label for labels in stages(aws, full).values() for label in labels if label == PENDING]


async def test_sixteen_writers_over_a_deleted_secret_lose_nothing_and_bring_nothing_back(
    aws: Any, full: str, stores: list[AWSStore]
) -> None:
    """Of one owner: for the length of one call a restored secret shows its old owner."""
    engines = [engine_over(store) for store in stores]
    await engines[0].apply(NAME, Secret({"buried": b"x"}, OWNED), deadline=soon())
    aws.delete_secret(SecretId=full, RecoveryWindowInDays=7)
    async with asyncio.TaskGroup() as group:
        for number in range(16):
            request = Secret({f"key-{number}": b"x"}, OWNED)
            group.create_task(engines[number % 2].apply(NAME, request, deadline=soon(60)))
    stored = (await engines[0].get(NAME)).secret
    assert stored == Secret({f"key-{number}": b"x" for number in range(16)}, OWNED)


async def test_a_write_leaves_only_the_labels_of_the_service(
    aws: Any, full: str, stores: list[AWSStore]
) -> None:
    engine = engine_over(stores[0])
    for value in (b"1", b"2", b"3"):
        applied = await engine.apply(NAME, Secret({"a": value}), deadline=soon())
    found = stages(aws, full)
    assert found[str(applied.version)] == ["AWSCURRENT"]
    assert sorted(map(tuple, found.values())) == [("AWSCURRENT",), ("AWSPREVIOUS",)]


async def test_a_version_that_another_process_left_pending_is_unlabelled_by_the_next_write(
    aws: Any, full: str, stores: list[AWSStore]
) -> None:
    engine = engine_over(stores[0])
    await engine.apply(NAME, SECRET, deadline=soon())
    aws.put_secret_value(SecretId=full, SecretString="{}", VersionStages=[PENDING])
    assert (await engine.get(NAME)).secret == SECRET
    await engine.apply(NAME, Secret({"more": b"x"}, OWNED), deadline=soon())
    assert PENDING not in [label for labels in stages(aws, full).values() for label in labels]


# A writer over a tombstone that ends in the middle.


async def bury(aws: Any, full: str, store: AWSStore) -> None:
    await store.write(NAME, Secret({"old": b"x"}, {OWNER_LABEL: "uid-old", "old": "x"}), base=ABSENT)
    aws.delete_secret(SecretId=full, RecoveryWindowInDays=7)


async def test_it_ends_before_the_value_is_in_place(
    moto: Moto, aws: Any, full: str, stores: list[AWSStore]
) -> None:
    """The secret is restored, and still counts as deleted."""
    await bury(aws, full, stores[0])
    moto.fail("UpdateSecretVersionStage", times=99)
    with pytest.raises(StoreUnavailable):
        await stores[0].write(NAME, SECRET, base=await stores[0].read(NAME))
    moto.clear()
    stored = await stores[1].read(NAME)
    assert (stored.presence, stored.secret) == (Presence.TOMBSTONE, Secret())
    engine = engine_over(stores[1])
    await engine.apply(NAME, Secret({"new": b"x"}, {OWNER_LABEL: "uid-2"}), deadline=soon())
    assert (await engine.get(NAME)).secret == Secret({"new": b"x"}, {OWNER_LABEL: "uid-2"})


async def test_it_ends_before_the_tags_are_in_place(
    moto: Moto, aws: Any, full: str, stores: list[AWSStore]
) -> None:
    """The old owner is gone. The new one may still come, for some seconds."""
    await bury(aws, full, stores[0])
    moto.fail("TagResource", times=99)
    with pytest.raises(StoreUnavailable):
        await stores[0].write(NAME, SECRET, base=await stores[0].read(NAME))
    moto.clear()
    stored = await stores[1].read(NAME)
    assert stored.secret == Secret(SECRET.data, {})
    assert stored.unfinished_age is not None
    assert 0 <= stored.unfinished_age < 60
    with pytest.raises(Conflict):
        await engine_over(stores[1]).apply(NAME, SECRET, deadline=soon(0.2))


async def test_tags_that_were_not_written_are_written_by_the_next_apply_of_the_same(
    moto: Moto, aws: Any, full: str, stores: list[AWSStore]
) -> None:
    await bury(aws, full, stores[0])
    moto.fail("TagResource", times=99)
    with pytest.raises(StoreUnavailable):
        await stores[0].write(NAME, SECRET, base=await stores[0].read(NAME))
    moto.clear()
    base = await stores[1].read(NAME)
    await stores[1].write(NAME, SECRET, base=base)
    stored = await stores[1].read(NAME)
    assert (stored.secret, stored.unfinished_age, stored.version) == (SECRET, None, base.version)


async def test_the_same_owner_again_is_not_waited_for(aws: Any, full: str, stores: list[AWSStore]) -> None:
    await stores[0].write(NAME, SECRET, base=ABSENT)
    aws.delete_secret(SecretId=full, RecoveryWindowInDays=7)
    await stores[0].write(NAME, SECRET, base=await stores[0].read(NAME))
    stored = await stores[1].read(NAME)
    assert (stored.secret, stored.unfinished_age) == (SECRET, None)


# What others do.


async def test_what_a_person_restores_is_there_again(aws: Any, full: str, stores: list[AWSStore]) -> None:
    await stores[0].write(NAME, SECRET, base=ABSENT)
    aws.delete_secret(SecretId=full, RecoveryWindowInDays=7)
    assert not (await stores[0].read(NAME)).present
    aws.restore_secret(SecretId=full)
    assert (await stores[0].read(NAME)).secret == SECRET


async def test_a_secret_without_a_value_is_filled(aws: Any, full: str, stores: list[AWSStore]) -> None:
    """Terraform makes such secrets: the value comes from elsewhere."""
    aws.create_secret(Name=full, Tags=[{"Key": "team", "Value": "a"}])
    stored = await stores[0].read(NAME)
    assert (stored.present, stored.secret, stored.version) == (True, Secret({}, {"team": "a"}), None)
    results = await asyncio.gather(
        *(
            store.write(NAME, Secret({"a": b"%d" % n}, {"team": "a"}), base=stored)
            for n, store in enumerate(stores)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    winner = next(n for n, result in enumerate(results) if isinstance(result, str))
    assert (await stores[0].read(NAME)).secret.data == {"a": b"%d" % winner}


async def test_an_owner_is_not_given_away_by_a_restore(aws: Any, full: str, stores: list[AWSStore]) -> None:
    await stores[0].write(NAME, SECRET, base=ABSENT)
    aws.delete_secret(SecretId=full, RecoveryWindowInDays=7)
    aws.restore_secret(SecretId=full)
    with pytest.raises(NotOwner):
        await engine_over(stores[0]).apply(NAME, Secret({}, {OWNER_LABEL: "uid-2"}), deadline=soon())


# Version ids.


@pytest.mark.parametrize("dead", [None, "a" * 64, version_ids.fresh()], ids=["none", "longest", "fresh"])
def test_an_id_tells_what_it_replaces(dead: str | None) -> None:
    made = version_ids.anew(dead, {"owner": "old"}, {"owner": "new"})
    assert 32 <= len(made) <= 64
    assert version_ids.replaces(made, dead)
    assert not version_ids.replaces(made, version_ids.fresh())
    assert version_ids.awaits_tags(made, {"owner": "old"})
    assert not version_ids.awaits_tags(made, {"owner": "new"})


@pytest.mark.parametrize(
    "made",
    [version_ids.fresh(), "anew-x", "2f6a7b1c-0000-4000-8000-000000000000"],
    ids=["fresh", "cut", "uuid"],
)
def test_other_ids_tell_nothing(made: str) -> None:
    assert not version_ids.replaces(made, "a")
    assert not version_ids.awaits_tags(made, {})


def test_the_same_tags_are_not_waited_for() -> None:
    made = version_ids.anew("a", {"owner": "old"}, {"owner": "old"})
    assert not version_ids.awaits_tags(made, {"owner": "old"})
