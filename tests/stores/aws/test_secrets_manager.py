"""What is particular about Secrets Manager: calls, options, documents of others, faults."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from store_plugin.dispatch.guards.deadline import request_deadline
from store_plugin.engine import Engine
from store_plugin.errors import (
    Conflict,
    DocumentInvalid,
    InvalidRequest,
    NameNotSupported,
    StoreQuota,
    StoreUnavailable,
    Throttled,
    TooLarge,
)
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from store_plugin.testing.environment import RecordingLog
from stores.aws.store import AWSStore
from tests.stores.aws.opening import engine_over, new_prefix, open_static, soon
from tests.support.moto import Moto

NAME = ScopedName.parse("team-a/db")
DATA = Secret({"user": b"admin", "password": b"\xff\x00"}, {OWNER_LABEL: "uid-1"})
READ = {"GetSecretValue": 1, "DescribeSecret": 1}
PUT = {"PutSecretValue": 1, "UpdateSecretVersionStage": 2}


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
async def store(moto: Moto, prefix: str) -> AsyncIterator[AWSStore]:
    store = await open_static(moto.address, prefix=prefix)
    yield store
    await store.aclose()


@pytest.fixture
async def engine(store: AWSStore) -> Engine:
    return engine_over(store)


# Calls: what a user pays.


@pytest.fixture
async def applied(moto: Moto, engine: Engine) -> Engine:
    """The engine, after DATA was applied, with an empty record of calls."""
    await engine.apply(NAME, DATA, deadline=soon())
    moto.calls()
    return engine


async def test_a_get_is_a_pair_of_calls(moto: Moto, applied: Engine) -> None:
    await applied.get(NAME)
    assert moto.calls() == READ


async def test_an_unchanged_apply_is_a_pair_of_calls_and_no_version(
    moto: Moto, aws: Any, full: str, applied: Engine
) -> None:
    before = aws.describe_secret(SecretId=full)["VersionIdsToStages"]
    moto.calls()
    await applied.apply(NAME, DATA, deadline=soon())
    assert moto.calls() == READ
    assert aws.describe_secret(SecretId=full)["VersionIdsToStages"] == before


async def test_a_create_is_one_call_tags_included(moto: Moto, engine: Engine) -> None:
    moto.calls()
    await engine.apply(NAME, DATA, deadline=soon())
    assert moto.calls() == {**READ, "CreateSecret": 1}


async def test_a_changed_apply_puts_moves_and_unlabels(moto: Moto, applied: Engine) -> None:
    await applied.apply(NAME, Secret({"user": b"root"}, DATA.metadata), deadline=soon())
    assert moto.calls() == {**READ, **PUT}


async def test_changed_metadata_makes_no_version(moto: Moto, applied: Engine) -> None:
    before = (await applied.get(NAME)).version
    moto.calls()
    result = await applied.apply(NAME, Secret({}, {**DATA.metadata, "team": "a"}), deadline=soon())
    assert moto.calls() == {**READ, "TagResource": 1}
    assert result.version == before


async def test_a_removal_is_one_call_more_than_a_get(moto: Moto, applied: Engine) -> None:
    await applied.delete(NAME, [], deadline=soon())
    assert moto.calls() == {**READ, "DeleteSecret": 1}


async def test_opening_makes_no_call(moto: Moto) -> None:
    store = await open_static(moto.address)
    await store.aclose()
    assert moto.calls() == {}


# Faults.


async def test_a_move_whose_answer_is_lost_is_no_lost_race(moto: Moto, applied: Engine) -> None:
    """It is sent again, and refused then: the label is where it was to go."""
    moto.fail("UpdateSecretVersionStage", carried_out=True)
    result = await applied.apply(NAME, Secret({"user": b"root"}, DATA.metadata), deadline=soon())
    assert result.changed
    assert moto.calls()["PutSecretValue"] == 1
    assert (await applied.get(NAME)).secret.data["user"] == b"root"


async def test_a_put_whose_answer_is_lost_is_one_version(
    moto: Moto, aws: Any, full: str, applied: Engine
) -> None:
    before = len(aws.list_secret_version_ids(SecretId=full, IncludeDeprecated=True)["Versions"])
    moto.fail("PutSecretValue", carried_out=True)
    await applied.apply(NAME, Secret({"user": b"root"}, DATA.metadata), deadline=soon())
    after = len(aws.list_secret_version_ids(SecretId=full, IncludeDeprecated=True)["Versions"])
    assert after == before + 1


async def test_a_create_whose_answer_is_lost_is_done(moto: Moto, engine: Engine) -> None:
    moto.fail("CreateSecret", carried_out=True)
    assert (await engine.apply(NAME, DATA, deadline=soon())).changed
    assert (await engine.get(NAME)).secret == DATA


@pytest.mark.parametrize(
    ("operation", "carried_out"),
    [("PutSecretValue", False), ("PutSecretValue", True), ("UpdateSecretVersionStage", False)],
    ids=["put-not-done", "put-done", "move-not-done"],
)
async def test_a_failing_service_is_reported_and_the_next_apply_makes_it_good(
    moto: Moto, applied: Engine, operation: str, carried_out: bool
) -> None:
    wanted = Secret({"more": b"x"}, DATA.metadata)
    moto.fail(operation, carried_out=carried_out, times=99)
    with pytest.raises(StoreUnavailable):
        await applied.apply(NAME, wanted, deadline=soon())
    moto.clear()
    await applied.apply(NAME, wanted, deadline=soon())
    assert (await applied.get(NAME)).secret == Secret({**DATA.data, "more": b"x"}, DATA.metadata)


async def test_a_move_that_was_done_is_found_done_though_no_answer_ever_says_so(
    moto: Moto, applied: Engine
) -> None:
    wanted = Secret({"more": b"x"}, DATA.metadata)
    moto.fail("UpdateSecretVersionStage", carried_out=True, times=99)
    assert (await applied.apply(NAME, wanted, deadline=soon())).changed
    moto.clear()
    assert (await applied.get(NAME)).secret == Secret({**DATA.data, "more": b"x"}, DATA.metadata)
    assert not (await applied.apply(NAME, wanted, deadline=soon())).changed


async def test_a_label_that_cannot_be_taken_away_is_no_failure(
    moto: Moto, prefix: str, applied: Engine
) -> None:
    """The version is the current one by then; the label goes with the next write."""
    log = RecordingLog()
    store = await open_static(moto.address, prefix=prefix, log=log)
    base = await store.read(NAME)
    moto.fail("UpdateSecretVersionStage", after=1, times=9)
    version = await store.write(NAME, Secret({"a": b"1"}, DATA.metadata), base=base)
    moto.clear()
    assert (await store.read(NAME)).version == version
    assert log.events("warning") == ["aws_label_left_behind"]
    await store.aclose()


async def test_throttling_is_told_with_the_time_to_wait(moto: Moto, engine: Engine) -> None:
    moto.fail("GetSecretValue", status=400, code="ThrottlingException", times=99)
    request_deadline.set(soon(1.0))
    with pytest.raises(Throttled) as raised:
        await engine.get(NAME)
    assert raised.value.retry_after
    assert moto.calls()["GetSecretValue"] == 1, "no sleeping on a thread, and no time to come again"


async def test_a_burst_of_throttling_that_passes_is_not_noticed(moto: Moto, applied: Engine) -> None:
    moto.fail("GetSecretValue", status=400, code="ThrottlingException")
    assert (await applied.get(NAME)).secret == DATA


async def test_too_many_versions_are_the_services_quota(moto: Moto, applied: Engine) -> None:
    moto.fail("PutSecretValue", status=400, code="LimitExceededException", times=9)
    with pytest.raises(StoreQuota):
        await applied.apply(NAME, Secret({"a": b"1"}, DATA.metadata), deadline=soon())


async def test_a_read_that_never_agrees_ends(moto: Moto, store: AWSStore, aws: Any, full: str) -> None:
    """The service says that it is deleted, and that it is not."""
    aws.create_secret(Name=full, SecretString="{}")
    moto.fail("GetSecretValue", status=400, code="InvalidRequestException", times=99)
    with pytest.raises(InvalidRequest):
        await store.read(NAME)
    moto.fail("GetSecretValue", status=400, code="ResourceNotFoundException", times=99)
    moto.clear()
    moto.fail("GetSecretValue", status=400, code="ResourceNotFoundException", times=99)
    with pytest.raises(Conflict):
        await store.read(NAME)


# Documents of others.


async def test_a_document_of_others_goes_back_byte_for_byte(aws: Any, full: str, engine: Engine) -> None:
    """AWS's own for RDS holds a number; others hold anything."""
    text = '{"port": 3306, "big": 12345678901234567890.10, "nested": {"a": [1, null]}, "user":"\\u0061"}'
    aws.create_secret(Name=full, SecretString=text)
    stored = (await engine.get(NAME)).secret
    assert stored.data == {
        "port": b"3306",
        "big": b"12345678901234567890.10",
        "nested": b'{"a":[1,null]}',
        "user": b"a",
    }
    await engine.apply(NAME, Secret({"more": b"x"}), deadline=soon())
    assert aws.get_secret_value(SecretId=full, VersionStage="AWSCURRENT")["SecretString"] == (
        '{"port":3306,"big":12345678901234567890.10,"nested":{"a": [1, null]},"user":"\\u0061","more":"x"}'
    )


async def test_a_binary_value_is_read_and_becomes_text(aws: Any, full: str, engine: Engine) -> None:
    aws.create_secret(Name=full, SecretBinary=b'{"a": "1"}')
    assert (await engine.get(NAME)).secret.data == {"a": b"1"}
    await engine.apply(NAME, Secret({"b": b"2"}), deadline=soon())
    found = aws.get_secret_value(SecretId=full, VersionStage="AWSCURRENT")
    assert found["SecretString"] == '{"a":"1","b":"2"}'


@pytest.mark.parametrize(
    "value",
    [
        {"SecretString": "hunter2"},
        {"SecretString": "[1]"},
        {"SecretString": '{"a": '},
        {"SecretBinary": b"\xff"},
    ],
    ids=["plain", "list", "cut-off", "bytes"],
)
async def test_what_is_no_document_is_left_alone(
    aws: Any, full: str, engine: Engine, value: dict[str, Any]
) -> None:
    aws.create_secret(Name=full, **value)
    with pytest.raises(DocumentInvalid, match="team-a/db") as raised:
        await engine.get(NAME)
    assert "hunter2" not in str(raised.value)
    with pytest.raises(DocumentInvalid):
        await engine.apply(NAME, DATA, deadline=soon())
    assert value.items() <= aws.get_secret_value(SecretId=full, VersionStage="AWSCURRENT").items()


async def test_tags_of_aws_itself_are_not_metadata(moto: Moto, aws: Any, full: str, store: AWSStore) -> None:
    theirs = {"Key": "aws:cloudformation:stack-name", "Value": "x"}
    aws.create_secret(Name=full, SecretString="{}", Tags=[theirs, {"Key": "team", "Value": "a"}])
    base = await store.read(NAME)
    assert base.secret.metadata == {"team": "a"}
    await store.write(NAME, Secret({"a": b"1"}, {}), base=base)
    assert [tag["Key"] for tag in aws.describe_secret(SecretId=full)["Tags"]] == [
        "aws:cloudformation:stack-name"
    ]


# Metadata that cannot be tags.


@pytest.mark.parametrize(
    "metadata",
    [{"k": "a,b"}, {"k": "a\nb"}, {"k#": "a"}, {"aws:k": "a"}, {"AWS:k": "a"}, {"k": "e\u0301"}],
    ids=["comma", "line", "key", "reserved", "reserved-in-capitals", "combining"],
)
async def test_metadata_that_no_tag_can_hold_is_refused_before_anything_is_written(
    moto: Moto, engine: Engine, metadata: dict[str, str]
) -> None:
    with pytest.raises(InvalidRequest, match="metadata entry"):
        await engine.apply(NAME, Secret({"a": b"1"}, metadata), deadline=soon())
    assert moto.calls() == READ


# Options.


async def test_a_name_too_long_for_the_service_is_not_supported(moto: Moto, engine: Engine) -> None:
    name = ScopedName.parse("/".join(["x" * 200] * 3))
    with pytest.raises(NameNotSupported, match="512"):
        await engine.get(name)
    assert moto.calls() == {}


async def test_the_limit_counts_the_document_with_its_keys(engine: Engine) -> None:
    data = {f"{number:03}" + "k" * 250: b"x" for number in range(300)}
    with pytest.raises(TooLarge, match="65536"):
        await engine.apply(NAME, Secret(data), deadline=soon())


async def test_a_secret_is_made_with_key_tags_and_replicas(
    moto: Moto, aws: Any, prefix: str, full: str
) -> None:
    options = {
        "kmsKeyID": "alias/of-the-team",
        "tags": {"cost-center": "42"},
        "replicaRegions": [{"region": "eu-central-1"}, {"region": "eu-west-3", "kmsKeyID": "alias/there"}],
    }
    moto.key("alias/of-the-team")
    moto.key("alias/there", "eu-west-3")
    store = await open_static(moto.address, prefix=prefix, secretsManager=options)
    engine = engine_over(store)
    await engine.apply(NAME, DATA, deadline=soon())
    about = aws.describe_secret(SecretId=full)
    assert about["KmsKeyId"] == "alias/of-the-team"
    assert {tag["Key"]: tag["Value"] for tag in about["Tags"]} == {**DATA.metadata, "cost-center": "42"}
    assert {found["Region"] for found in about["ReplicationStatus"]} == {"eu-central-1", "eu-west-3"}
    assert (await engine.get(NAME)).secret == DATA, "the config's tags are no metadata"
    assert await store.check() == []
    with pytest.raises(InvalidRequest, match="cost-center"):
        await engine.apply(NAME, Secret({}, {**DATA.metadata, "cost-center": "1"}), deadline=soon())
    await engine.delete(NAME, [], deadline=soon())
    assert not (await engine.get(NAME)).present
    await store.aclose()


async def test_replicas_that_are_missing_are_told_and_added_by_the_next_write(
    moto: Moto, aws: Any, prefix: str, full: str, applied: Engine
) -> None:
    options = {"replicaRegions": [{"region": "eu-central-1"}]}
    store = await open_static(moto.address, prefix=prefix, secretsManager=options)
    assert await store.check() == [
        "secret team-a/db in region eu-central-1: the replica is missing; "
        "the next write of the secret adds it"
    ]
    await engine_over(store).apply(NAME, Secret({"a": b"1"}, DATA.metadata), deadline=soon())
    assert aws.describe_secret(SecretId=full)["ReplicationStatus"][0]["Region"] == "eu-central-1"
    assert await store.check() == []
    await store.aclose()


async def test_a_replica_that_failed_is_told(moto: Moto, prefix: str, full: str) -> None:
    moto.client("secretsmanager", "eu-central-1").create_secret(Name=full, SecretString="{}")
    options = {"replicaRegions": [{"region": "eu-central-1"}]}
    store = await open_static(moto.address, prefix=prefix, secretsManager=options)
    await engine_over(store).apply(NAME, DATA, deadline=soon())
    (told,) = await store.check()
    assert told.startswith(
        "secret team-a/db in region eu-central-1: the replica is Failed (Replication failed"
    )
    await store.aclose()


@pytest.mark.parametrize("days", [7, 30])
async def test_a_removed_secret_waits_for_as_long_as_the_config_says(
    moto: Moto, aws: Any, prefix: str, full: str, days: int
) -> None:
    store = await open_static(moto.address, prefix=prefix, secretsManager={"recoveryWindowDays": days})
    engine = engine_over(store)
    await engine.apply(NAME, DATA, deadline=soon())
    await engine.delete(NAME, [], deadline=soon())
    about = aws.describe_secret(SecretId=full)
    assert round((about["DeletedDate"] - about["CreatedDate"]).total_seconds() / 86400) == days
    await store.aclose()


async def test_a_forced_deletion_leaves_nothing(moto: Moto, aws: Any, prefix: str, full: str) -> None:
    store = await open_static(moto.address, prefix=prefix, secretsManager={"forceDelete": True})
    engine = engine_over(store)
    await engine.apply(NAME, DATA, deadline=soon())
    await engine.delete(NAME, [], deadline=soon())
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.describe_secret(SecretId=full)
    await store.aclose()


async def test_a_removal_whose_answer_is_lost_is_done(moto: Moto, applied: Engine) -> None:
    moto.fail("DeleteSecret", carried_out=True)
    await applied.delete(NAME, [], deadline=soon())
    assert not (await applied.get(NAME)).present


async def test_a_listing_goes_on_over_pages_and_leaves_out_what_is_deleted(
    aws: Any, prefix: str, store: AWSStore
) -> None:
    wanted = {f"team/{number:03}" for number in range(130)}
    for name in wanted:
        aws.create_secret(Name=f"{prefix}/{name}", SecretString="{}")
    aws.create_secret(Name=f"{prefix}/team/not a name", SecretString="{}")
    aws.create_secret(Name=f"{prefix}x/team/other", SecretString="{}")
    aws.create_secret(Name=f"{prefix}/team/gone", SecretString="{}")
    aws.delete_secret(SecretId=f"{prefix}/team/gone")
    assert {str(name) async for name in store.names("team")} == wanted
