"""What is particular about Parameter Store: calls, races, documents of others, options."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.engine import Engine
from store_plugin.errors import (
    Conflict,
    DocumentInvalid,
    NameNotSupported,
    StoreDenied,
    StoreQuota,
    TooLarge,
    VersionNotFound,
)
from store_plugin.model import ABSENT, OWNER_LABEL, ScopedName, Secret, Version
from stores.aws.parameter_store import WARNING
from stores.aws.parameter_store.merging import merged, same
from stores.aws.store import AWSStore
from tests.stores.aws.opening import engine_over, new_prefix, open_static, soon
from tests.support.moto import Moto

NAME = ScopedName.parse("team-a/db")
DATA = Secret({"user": b"admin", "password": b"\xff\x00"}, {OWNER_LABEL: "uid-1"})
READ = {"GetParameter": 1, "ListTagsForResource": 1}


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest.fixture
def full(prefix: str) -> str:
    return f"/{prefix}/{NAME}"


@pytest.fixture
def aws(moto: Moto) -> Any:
    return moto.client("ssm")


@pytest.fixture
async def stores(moto: Moto, prefix: str) -> AsyncIterator[list[AWSStore]]:
    stores = [await open_static(moto.address, service="ParameterStore", prefix=prefix) for _ in range(2)]
    yield stores
    for store in stores:
        await store.aclose()


@pytest.fixture
async def engine(stores: list[AWSStore]) -> Engine:
    return engine_over(stores[0])


@pytest.fixture
async def applied(moto: Moto, engine: Engine) -> Engine:
    """The engine, after DATA was applied, with an empty record of calls."""
    await engine.apply(NAME, DATA, deadline=soon())
    moto.calls()
    return engine


# Calls.


async def test_a_get_is_a_pair_of_calls(moto: Moto, applied: Engine) -> None:
    await applied.get(NAME)
    assert moto.calls() == READ


async def test_an_unchanged_apply_is_a_pair_of_calls(moto: Moto, applied: Engine) -> None:
    await applied.apply(NAME, DATA, deadline=soon())
    assert moto.calls() == READ


async def test_a_create_is_one_call_tags_included(moto: Moto, engine: Engine) -> None:
    await engine.apply(NAME, DATA, deadline=soon())
    assert moto.calls() == {**READ, "PutParameter": 1}


async def test_a_changed_apply_is_one_call_more(moto: Moto, applied: Engine) -> None:
    await applied.apply(NAME, Secret({"user": b"root"}, DATA.metadata), deadline=soon())
    assert moto.calls() == {**READ, "PutParameter": 1}


async def test_changed_metadata_makes_no_version(moto: Moto, applied: Engine) -> None:
    result = await applied.apply(NAME, Secret({}, {**DATA.metadata, "team": "a"}), deadline=soon())
    assert moto.calls() == {**READ, "AddTagsToResource": 1}
    assert result.version == "1"


# Races.


@pytest.mark.parametrize("run", range(5))
async def test_sixteen_writers_through_two_processes_lose_nothing(stores: list[AWSStore], run: int) -> None:
    engines = [engine_over(store) for store in stores]
    async with asyncio.TaskGroup() as group:
        for number in range(16):
            request = Secret({f"key-{number}": b"x"}, DATA.metadata)
            group.create_task(engines[number % 2].apply(NAME, request, deadline=soon(60)))
    stored = (await engines[0].get(NAME)).secret
    assert stored == Secret({f"key-{number}": b"x" for number in range(16)}, DATA.metadata)


async def test_versions_that_were_written_over_are_written_again(stores: list[AWSStore]) -> None:
    await stores[0].write(NAME, Secret({"kept": b"1", "gone": b"1", "both": b"1"}), base=ABSENT)
    base = await stores[0].read(NAME)
    await stores[1].write(NAME, Secret({"kept": b"1", "both": b"2", "theirs": b"2"}), base=base)
    with pytest.raises(Conflict):
        await stores[0].write(NAME, Secret({**base.secret.data, "both": b"3", "ours": b"3"}), base=base)
    stored = await stores[1].read(NAME)
    assert stored.secret.data == {"kept": b"1", "both": b"2", "theirs": b"2", "ours": b"3"}


async def test_a_write_over_what_is_no_document_leaves_it_as_it_was(
    aws: Any, full: str, stores: list[AWSStore]
) -> None:
    await stores[0].write(NAME, DATA, base=ABSENT)
    base = await stores[0].read(NAME)
    aws.put_parameter(Name=full, Value="by hand", Type="SecureString", Overwrite=True)
    with pytest.raises(Conflict):
        await stores[0].write(NAME, Secret({"a": b"1"}), base=base)
    assert aws.get_parameter(Name=full, WithDecryption=True)["Parameter"]["Value"] == "by hand"


async def test_a_write_over_a_parameter_made_anew_gives_it_back(stores: list[AWSStore]) -> None:
    for value in (b"1", b"2", b"3"):
        await stores[0].write(NAME, Secret({"a": value}), base=await stores[0].read(NAME))
    base = await stores[0].read(NAME)
    await stores[1].delete(NAME, base=base)
    await stores[1].write(NAME, Secret({"theirs": b"x"}), base=ABSENT)
    with pytest.raises(Conflict):
        await stores[0].write(NAME, Secret({"a": b"4"}), base=base)
    assert (await stores[1].read(NAME)).secret.data == {"theirs": b"x"}


async def test_a_put_whose_answer_is_lost_is_no_lost_race(moto: Moto, applied: Engine) -> None:
    """It is sent again, and makes a second version of the same."""
    moto.fail("PutParameter", carried_out=True)
    result = await applied.apply(NAME, Secret({"user": b"root"}, DATA.metadata), deadline=soon())
    assert (result.changed, result.version) == (True, "3")
    assert (await applied.get(NAME)).secret == Secret({**DATA.data, "user": b"root"}, DATA.metadata)


async def test_a_caller_that_gives_up_leaves_no_write_half_done(moto: Moto, stores: list[AWSStore]) -> None:
    """What the write went over is put back, although nobody waits for it any more."""
    await stores[0].write(NAME, DATA, base=ABSENT)
    base = await stores[0].read(NAME)
    await stores[1].write(NAME, Secret({**DATA.data, "theirs": b"x"}, DATA.metadata), base=base)
    moto.calls()
    writing = asyncio.create_task(
        stores[0].write(NAME, Secret({**DATA.data, "ours": b"x"}, DATA.metadata), base=base)
    )
    while not moto.calls()["PutParameter"]:
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises((asyncio.CancelledError, Conflict)):
        await writing
    await stores[0].aclose()
    assert (await stores[1].read(NAME)).secret.data.keys() >= {"theirs", "user", "password"}


# Merging.

DOCUMENTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2"]))


def text_of(values: dict[str, str]) -> str:
    return "{" + ",".join(f'"{key}": {value}' for key, value in values.items()) + "}"


@given(DOCUMENTS, DOCUMENTS)
def test_of_one_version_all_is_taken(base: dict[str, str], version: dict[str, str]) -> None:
    assert same(merged(text_of(base), [text_of(version)], "x"), text_of(version), "x")


@given(DOCUMENTS, st.lists(DOCUMENTS, min_size=1))
def test_what_the_last_version_changed_is_there(base: dict[str, str], versions: list[dict[str, str]]) -> None:
    found = merged(text_of(base), list(map(text_of, versions)), "x")
    changed = {key: value for key, value in versions[-1].items() if base.get(key) != value}
    for key, value in changed.items():
        assert f'"{key}":{value}' in found


@given(st.lists(DOCUMENTS, min_size=1))
def test_what_any_version_added_is_there(versions: list[dict[str, str]]) -> None:
    found = merged(None, list(map(text_of, versions)), "x")
    assert all(f'"{key}":' in found for version in versions for key in version)


# Documents of others, names, options.


@pytest.mark.parametrize("value", ["hunter2", "[1]", '{"a": '])
async def test_what_is_no_document_is_left_alone(aws: Any, full: str, engine: Engine, value: str) -> None:
    aws.put_parameter(Name=full, Value=value, Type="SecureString")
    with pytest.raises(DocumentInvalid, match="team-a/db") as raised:
        await engine.apply(NAME, DATA, deadline=soon())
    assert "hunter2" not in str(raised.value)
    assert aws.get_parameter(Name=full, WithDecryption=True)["Parameter"]["Value"] == value


async def test_a_parameter_keeps_its_type(aws: Any, full: str, engine: Engine) -> None:
    aws.put_parameter(Name=full, Value='{"port": 3306}', Type="String")
    await engine.apply(NAME, Secret({"more": b"x"}), deadline=soon())
    found = aws.get_parameter(Name=full)["Parameter"]
    assert (found["Type"], found["Value"]) == ("String", '{"port":3306,"more":"x"}')


async def test_values_that_look_like_references_are_stored(aws: Any, full: str, engine: Engine) -> None:
    """The service refuses two opening braces side by side in a plain parameter."""
    data = {"template": b"{{ssm:/other}} {{{", "quote": b'"{{"'}
    await engine.apply(NAME, Secret(data), deadline=soon())
    assert "{{" not in aws.get_parameter(Name=full, WithDecryption=True)["Parameter"]["Value"]
    assert (await engine.get(NAME)).secret.data == data


@pytest.mark.parametrize("name", ["aws/a", "awsome", "SSM-x", "ssm/a"])
async def test_reserved_names_are_not_supported(moto: Moto, name: str) -> None:
    store = await open_static(moto.address, service="ParameterStore")
    with pytest.raises(NameNotSupported, match="prefix"):
        await store.read(ScopedName.parse(name))
    await store.aclose()


@pytest.mark.parametrize("version", ["0", "-1", "1e3", "x", "9" * 30])
async def test_what_is_no_version_is_not_found(applied: Engine, version: str) -> None:
    with pytest.raises(VersionNotFound):
        await applied.get(NAME, version=Version(version))


@pytest.mark.parametrize(
    ("tier", "most"), [("Standard", 4096), ("Advanced", 8192), ("Intelligent-Tiering", 8192)]
)
async def test_a_tier_has_its_limit(
    moto: Moto, aws: Any, prefix: str, full: str, tier: str, most: int
) -> None:
    options = {"tier": tier, "kmsKeyID": "alias/of-the-team", "tags": {"cost-center": "42"}}
    store = await open_static(moto.address, service="ParameterStore", prefix=prefix, parameterStore=options)
    engine = engine_over(store)
    with pytest.raises(TooLarge, match=str(most)):
        await engine.apply(NAME, Secret({"a": b"\xff" * (most - 100)}), deadline=soon())
    await engine.apply(NAME, DATA, deadline=soon())
    assert (await engine.get(NAME)).secret == DATA, "the config's tags are no metadata"
    about = aws.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [full]}])["Parameters"][0]
    assert (about["Tier"], about["KeyId"], about["Type"]) == (tier, "alias/of-the-team", "SecureString")
    await store.aclose()


async def test_a_listing_goes_on_over_pages(aws: Any, prefix: str, stores: list[AWSStore]) -> None:
    wanted = {f"team/{number:03}" for number in range(70)}
    for name in wanted:
        aws.put_parameter(Name=f"/{prefix}/{name}", Value="{}", Type="String")
    aws.put_parameter(Name=f"/{prefix}x/team/other", Value="{}", Type="String")
    assert {str(name) async for name in stores[0].names("team")} == wanted


async def test_the_check_tells_what_the_service_cannot_do(stores: list[AWSStore]) -> None:
    assert await stores[0].check() == [WARNING]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ParameterMaxVersionLimitExceeded", StoreQuota),
        ("InvalidKeyId", StoreDenied),
        ("TooManyUpdates", Conflict),
    ],
)
async def test_refusals_of_a_write(
    moto: Moto, stores: list[AWSStore], code: str, kind: type[Exception]
) -> None:
    await stores[0].write(NAME, DATA, base=ABSENT)
    base = await stores[0].read(NAME)
    moto.fail("PutParameter", status=400, code=code, times=9)
    with pytest.raises(kind):
        await stores[0].write(NAME, Secret({"a": b"1"}), base=base)
