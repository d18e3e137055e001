"""What the services answer and moto does not: answers in the shapes of botocore's own service
models (`Stubber` checks each against its model), one after the other as AWS gives them.

The order of calls is checked too, so a test here shows what a write does when one of its
calls goes wrong.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from store_plugin.errors import (
    Conflict,
    InvalidRequest,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreQuota,
    StoreUnavailable,
    Throttled,
)
from store_plugin.model import Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.testing.environment import RecordingLog
from stores.aws.parameter_store.service import Held as HeldParameter
from stores.aws.secrets_manager.contents import About, Held
from stores.aws.store import AWSStore
from tests.stores.aws.opening import open_static

NAME = ScopedName.parse("team-a/db")
FULL = "app/team-a/db"
SECRET = Secret({"user": b"admin"})
BASE_ID, OTHER_ID = "b" * 32, "c" * 32
ARN = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{FULL}-Ab12Cd"
MARKED = (
    "You can't perform this operation on the secret because it was marked for deletion.",
    "An error occurred: the secret is managed by another service.",
)


class Recorded:
    """A store whose client answers what a test says."""

    def __init__(self, store: AWSStore, log: RecordingLog) -> None:
        self.store = store
        self.log = log
        self.stub = Stubber(store._client._client._client())
        self.stub.activate()

    def answers(self, operation: str, answer: dict[str, Any], **expected: Any) -> None:
        self.stub.add_response(operation, answer, {**expected} if expected else None)

    def fails(self, operation: str, code: str, status: int = 400, message: str = "canary") -> None:
        """A failure of the service itself comes twice where the request changes something: it
        is sent once more."""
        again = status >= 500 and code != "RequestLimitExceeded" and not operation.startswith("get_")
        for _ in range(2 if again else 1):
            self.stub.add_client_error(operation, code, message, http_status_code=status)

    def describes(self, current: str | None, *, pending: str | None = None, **more: Any) -> None:
        """The answer to DescribeSecret."""
        stages: dict[str, list[str]] = {}
        for version, stage in ((current, "AWSCURRENT"), (pending, "store-plugin/pending")):
            if version:
                stages.setdefault(version, []).append(stage)
        self.answers("describe_secret", {"ARN": ARN, "Name": FULL, "VersionIdsToStages": stages, **more})

    def puts(self) -> None:
        self.answers(
            "put_secret_value", {"ARN": ARN, "Name": FULL, "VersionStages": ["store-plugin/pending"]}
        )

    def moves(self) -> None:
        self.answers("update_secret_version_stage", {"ARN": ARN, "Name": FULL})

    def holds(self, versions: dict[int, str]) -> None:
        """The answer to GetParameter: the latest version."""
        latest = max(versions)
        self.answers("get_parameter", {"Parameter": parameter(latest, versions[latest])})

    def tells(self, versions: dict[int, str]) -> None:
        """The answer to GetParameters."""
        found = [parameter(version, text) for version, text in versions.items()]
        self.answers("get_parameters", {"Parameters": found}, Names=ANY, WithDecryption=True)


def parameter(version: int, text: str) -> dict[str, Any]:
    return {"Name": "/app/team-a/db", "Type": "SecureString", "Value": text, "Version": version}


async def opened(service: str, **fields: object) -> Recorded:
    log = RecordingLog()
    store = await open_static("http://127.0.0.1:1", service=service, prefix="app", log=log, **fields)
    return Recorded(store, log)


@pytest.fixture
async def secrets() -> AsyncIterator[Recorded]:
    recorded = await opened("SecretsManager")
    yield recorded
    recorded.stub.assert_no_pending_responses()
    await recorded.store.aclose()


@pytest.fixture
async def parameters() -> AsyncIterator[Recorded]:
    recorded = await opened("ParameterStore")
    yield recorded
    recorded.stub.assert_no_pending_responses()
    await recorded.store.aclose()


def present(**about: Any) -> StoredSecret:
    """What was read before: version BASE_ID."""
    around = {"current": BASE_ID, "pending": None, "tags": {}, "deleted": False, "replicas": {}, **about}
    held = Held('{"user":"root"}', About(**around))
    return StoredSecret(Presence.PRESENT, Secret({"user": b"root"}), Version(BASE_ID), held)


def tombstone() -> StoredSecret:
    about = About(BASE_ID, None, {}, deleted=True, replicas={})
    return StoredSecret(Presence.TOMBSTONE, version=Version(BASE_ID), raw=Held(None, about))


PARAMETER = StoredSecret(
    Presence.PRESENT,
    Secret({"user": b"root"}),
    Version("3"),
    HeldParameter('{"user":"root"}', {}, "SecureString"),
)


async def refused(recorded: Recorded, base: StoredSecret) -> StorePluginError:
    with pytest.raises(StorePluginError) as raised:
        await recorded.store.write(NAME, SECRET, base=base)
    return raised.value


# The two calls of a write.


async def test_recorded_5xx_in_the_second_call_is_reported(secrets: Recorded) -> None:
    """The value lies beside the current one, which is still in force: nothing is lost, and the
    next write takes the label along."""
    secrets.puts()
    secrets.fails("update_secret_version_stage", "InternalServiceError", 500)
    assert isinstance(await refused(secrets, present()), StoreUnavailable)


async def test_recorded_a_move_that_was_carried_out_all_the_same_is_a_success(secrets: Recorded) -> None:
    """Its answer was lost; sent again, it finds that the label is where it was to go."""
    secrets.puts()
    secrets.fails("update_secret_version_stage", "InvalidParameterException")
    token = "d" * 32
    secrets.describes(token, pending=token)
    secrets.moves()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stores.aws.secrets_manager.version_ids.fresh", lambda: token)
        assert await secrets.store.write(NAME, SECRET, base=present()) == token


async def test_recorded_a_move_that_another_made_first_is_a_lost_race(secrets: Recorded) -> None:
    secrets.puts()
    secrets.fails("update_secret_version_stage", "InvalidParameterException")
    secrets.describes(OTHER_ID)
    assert isinstance(await refused(secrets, present()), Conflict)


async def test_recorded_a_put_is_told_apart_by_its_token(secrets: Recorded) -> None:
    """Each write has its own, so that a write that botocore sends again makes one version."""
    tokens: list[str] = []
    client = secrets.store._client._client._client()
    client.meta.events.register(
        "before-parameter-build.secrets-manager.PutSecretValue",
        lambda params, **_: tokens.append(params["ClientRequestToken"]),
    )
    for _ in range(2):
        secrets.answers(
            "put_secret_value",
            {"ARN": ARN, "Name": FULL},
            SecretId=FULL,
            SecretString='{"user":"admin"}',
            ClientRequestToken=ANY,
            VersionStages=["store-plugin/pending"],
        )
        secrets.moves()
        secrets.moves()
        await secrets.store.write(NAME, SECRET, base=present())
    assert len(set(tokens)) == 2
    assert all(len(token) >= 32 for token in tokens)


async def test_recorded_a_token_that_was_used_for_something_else_is_a_conflict(secrets: Recorded) -> None:
    secrets.fails("put_secret_value", "ResourceExistsException")
    assert isinstance(await refused(secrets, present()), Conflict)


async def test_recorded_tags_that_fail_after_the_value_are_reported(secrets: Recorded) -> None:
    """The next apply finds them missing, and writes them alone."""
    secrets.puts()
    secrets.moves()
    secrets.fails("tag_resource", "InternalServiceError", 500)
    with pytest.raises(StoreUnavailable):
        await secrets.store.write(NAME, Secret(SECRET.data, {"team": "a"}), base=present())


# Deletion and restoring.


async def test_recorded_a_secret_that_is_deleted_meanwhile_is_a_lost_race(secrets: Recorded) -> None:
    secrets.fails("put_secret_value", "InvalidRequestException", message=MARKED[0])
    secrets.describes(BASE_ID, DeletedDate=1_700_000_000)
    assert isinstance(await refused(secrets, present()), Conflict)


async def test_recorded_a_secret_of_another_service_says_what_may_be(secrets: Recorded) -> None:
    secrets.fails("put_secret_value", "InvalidRequestException", message=MARKED[1])
    secrets.describes(BASE_ID, OwningService="rds")
    error = await refused(secrets, present())
    assert isinstance(error, InvalidRequest)
    assert "another service" in error.message
    assert MARKED[1] not in error.message


async def test_recorded_a_tombstone_is_restored_then_replaced(secrets: Recorded) -> None:
    secrets.answers("restore_secret", {"ARN": ARN, "Name": FULL}, SecretId=FULL)
    secrets.puts()
    secrets.moves()
    secrets.moves()
    assert str(await secrets.store.write(NAME, SECRET, base=tombstone())).startswith("anew-")


async def test_recorded_a_restore_that_another_made_first_is_no_failure(secrets: Recorded) -> None:
    secrets.fails("restore_secret", "InvalidRequestException")
    secrets.describes(BASE_ID)
    secrets.puts()
    secrets.moves()
    secrets.moves()
    assert await secrets.store.write(NAME, SECRET, base=tombstone())


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "still-deleted"])
async def test_recorded_a_restore_that_comes_too_late_is_a_lost_race(secrets: Recorded, gone: bool) -> None:
    secrets.fails("restore_secret", "ResourceNotFoundException" if gone else "InvalidRequestException")
    if gone:
        secrets.fails("describe_secret", "ResourceNotFoundException")
    else:
        secrets.describes(BASE_ID, DeletedDate=1_700_000_000)
    assert isinstance(await refused(secrets, tombstone()), Conflict)


async def test_recorded_5xx_between_restore_and_value_is_reported(secrets: Recorded) -> None:
    """The dead secret is back with its old keys until the next apply; it still has its owner."""
    secrets.answers("restore_secret", {"ARN": ARN, "Name": FULL})
    secrets.fails("put_secret_value", "InternalServiceError", 500)
    assert isinstance(await refused(secrets, tombstone()), StoreUnavailable)


# Replicas.


async def test_recorded_replicas_go_before_their_secret(secrets: Recorded) -> None:
    """The service refuses to delete a secret while a replica is on its way out."""
    secrets.answers("remove_regions_from_replication", {"ARN": ARN}, SecretId=FULL, RemoveReplicaRegions=ANY)
    secrets.fails("delete_secret", "InvalidParameterException")
    secrets.describes(BASE_ID, ReplicationStatus=[{"Region": "eu-central-1", "Status": "InProgress"}])
    with pytest.raises(Conflict):
        await secrets.store.delete(NAME, base=present(replicas={"eu-central-1": "InSync"}))


async def test_recorded_a_replica_that_cannot_be_made_fails_the_write_after_its_value() -> None:
    replicas = {"replicaRegions": [{"region": "eu-central-1"}]}
    recorded = await opened("SecretsManager", secretsManager=replicas)
    recorded.puts()
    recorded.moves()
    recorded.fails("replicate_secret_to_regions", "InvalidParameterException")
    assert isinstance(await refused(recorded, present()), InvalidRequest)
    recorded.stub.assert_no_pending_responses()
    await recorded.store.aclose()


# Refusals of either service, by AWS's code.

REFUSALS: list[tuple[str, int, type[StorePluginError], str]] = [
    ("ThrottlingException", 400, Throttled, ""),
    ("TooManyRequestsException", 429, Throttled, ""),
    ("RequestLimitExceeded", 503, Throttled, ""),
    ("LimitExceededException", 400, StoreQuota, ""),
    ("EncryptionFailure", 400, StoreDenied, "KMS key"),
    ("DecryptionFailure", 400, StoreDenied, "KMS key"),
    ("AccessDeniedException", 400, StoreDenied, "kms:GenerateDataKey"),
    ("InvalidKeyId", 400, StoreDenied, "KMS key"),
    ("RequestTimeTooSkewed", 403, LoginRefused, "clock"),
    ("SignatureDoesNotMatch", 403, LoginRefused, "clock"),
    ("InvalidSignatureException", 403, LoginRefused, "clock"),
    ("ExpiredTokenException", 403, LoginRefused, "renew"),
    ("ExpiredToken", 403, LoginRefused, "renew"),
    ("InternalServiceError", 500, StoreUnavailable, ""),
    ("InternalServerError", 500, StoreUnavailable, ""),
    ("ServiceUnavailable", 503, StoreUnavailable, ""),
]
TEXTS = {"AccessDeniedException": "not authorized to perform: kms:GenerateDataKey on the resource"}


@pytest.mark.parametrize(("code", "status", "kind", "told"), REFUSALS, ids=[found[0] for found in REFUSALS])
async def test_recorded_refusals_of_secrets_manager(
    secrets: Recorded, code: str, status: int, kind: type[StorePluginError], told: str
) -> None:
    secrets.fails("put_secret_value", code, status, TEXTS.get(code, "canary"))
    error = await refused(secrets, present())
    assert (type(error), bool(error.retry_after)) == (kind, kind in (Throttled, StoreUnavailable))
    assert told in error.message


@pytest.mark.parametrize(
    ("code", "status", "kind", "told"),
    [
        *REFUSALS,
        ("ParameterLimitExceeded", 400, StoreQuota, ""),
        ("ParameterMaxVersionLimitExceeded", 400, StoreQuota, ""),
        ("TooManyUpdates", 400, Conflict, ""),
    ],
)
async def test_recorded_refusals_of_parameter_store(
    parameters: Recorded, code: str, status: int, kind: type[StorePluginError], told: str
) -> None:
    parameters.fails("put_parameter", code, status, TEXTS.get(code, "canary"))
    if kind is StoreUnavailable:  # was it carried out? No: nothing came after the base
        parameters.holds({3: '{"user":"root"}'})
    error = await refused(parameters, PARAMETER)
    assert (type(error), bool(error.retry_after)) == (kind, kind in (Throttled, StoreUnavailable))
    assert told in error.message


OURS, THEIRS, BOTH = '{"user":"admin"}', '{"user":"root","more":"x"}', '{"user":"admin","more":"x"}'


async def test_recorded_5xx_in_the_middle_of_putting_together_loses_nothing(parameters: Recorded) -> None:
    """Our write went over version 4 of another, who was told that it is stored."""
    parameters.answers("put_parameter", {"Version": 5})
    parameters.fails("get_parameters", "InternalServerError", 500)
    parameters.fails("get_parameters", "ThrottlingException", 400)
    parameters.tells({4: THEIRS})
    parameters.fails("get_parameter", "InternalServerError", 500)
    parameters.holds({5: OURS})
    parameters.answers("put_parameter", {"Version": 6}, **written(BOTH))
    assert isinstance(await refused(parameters, PARAMETER), Conflict)


async def test_recorded_5xx_of_a_write_that_went_over_another_loses_nothing(parameters: Recorded) -> None:
    """Its answer was lost: it is found among the versions, after one that it had not read."""
    parameters.fails("put_parameter", "InternalServerError", 500)
    parameters.holds({5: OURS})
    parameters.tells({4: THEIRS, 5: OURS})
    parameters.tells({4: THEIRS})
    parameters.holds({5: OURS})
    parameters.answers("put_parameter", {"Version": 6}, **written(BOTH))
    assert isinstance(await refused(parameters, PARAMETER), Conflict)


async def test_recorded_5xx_of_a_write_that_was_carried_out_is_a_success(parameters: Recorded) -> None:
    parameters.fails("put_parameter", "InternalServerError", 500)
    parameters.holds({4: OURS})
    parameters.tells({4: OURS})
    assert await parameters.store.write(NAME, SECRET, base=PARAMETER) == "4"


def written(text: str) -> dict[str, Any]:
    given = {"Name": "/app/team-a/db", "Type": "SecureString", "Tier": "Standard", "Overwrite": True}
    return {**given, "Value": text}
