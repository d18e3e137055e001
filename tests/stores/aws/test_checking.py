"""What `check` finds wrong in AWS, without a write."""

import json
from collections.abc import Iterator

import botocore.session
import pytest

from store_plugin.errors import (
    ConfigInvalid,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.model import ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials
from stores.aws.checking.advice import advised
from stores.aws.checking.keys import _EXPECTED, _USES
from stores.aws.checking.probes import probes_of
from stores.aws.checking.rights import resource_of
from stores.aws.parameter_store.service import WARNING
from tests.docs.pages import DOCS, blocks
from tests.stores.aws.opening import engine_over, new_prefix, open_static, soon, spec_of
from tests.support import moto as moto_support
from tests.support.moto import ACCESS_KEY, SECRET_KEY, Moto
from tests.support.ports import free_port

SECRETS_MANAGER = [
    *("GetSecretValue", "DescribeSecret", "CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"),
    *("TagResource", "UntagResource", "RestoreSecret", "DeleteSecret"),
]
PARAMETER_STORE = [
    *("GetParameter", "GetParameters", "PutParameter", "DeleteParameter"),
    *("ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource"),
]
SERVICES = {
    "SecretsManager": ("secretsmanager", SECRETS_MANAGER, []),
    "ParameterStore": ("ssm", PARAMETER_STORE, [WARNING]),
}
READING = {
    "SecretsManager": ["GetSecretValue", "DescribeSecret"],
    "ParameterStore": ["GetParameter", "ListTagsForResource"],
}
PAGE = DOCS / "stores" / "aws.md"
WRITES = {"CreateSecret", "PutParameter"}
services = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture(scope="module")
def guarded_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """An AWS that believes in IAM."""
    with moto_support.server(tmp_path_factory.mktemp("guarded")) as running:
        running.guard()
        yield running


@pytest.fixture
def guarded(guarded_process: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", guarded_process.address)
    guarded_process.clear()
    return guarded_process


async def checked(moto: Moto, keys: tuple[str, str], **fields: object) -> list[str]:
    values = {"auth.static.accessKeyID": keys[0], "auth.static.secretAccessKey": keys[1]}
    credentials = MemoryCredentials({path: value.encode() for path, value in values.items()})
    given = {"endpoint": moto.address, "prefix": "crossplane", **fields}
    store = await open_static(str(given.pop("endpoint")), credentials=credentials, **given)
    try:
        return await store.check()
    finally:
        await store.aclose()


async def refused(moto: Moto, keys: tuple[str, str], **fields: object) -> StorePluginError:
    with pytest.raises(StorePluginError) as caught:
        await checked(moto, keys, **fields)
    assert "\n" not in caught.value.message
    assert keys[1] not in caught.value.message
    return caught.value


def allowed(moto: Moto, service: str, *, without: str = "") -> tuple[str, str]:
    namespace, operations, _ = SERVICES[service]
    return moto.user(*(f"{namespace}:{one}" for one in operations if one != without))


# Rights.


@services
def test_the_policies_of_the_page_are_these_rights(service: str) -> None:
    namespace, operations, _ = SERVICES[service]
    policies = [json.loads(block) for block in blocks(PAGE, "json")]
    (statement,) = next(one["Statement"] for one in policies if namespace in json.dumps(one))
    assert statement["Action"] == sorted(f"{namespace}:{one}" for one in operations)
    pattern = resource_of(spec_of(service=service, prefix="crossplane")).replace(":*:", ":123456789012:")
    assert statement["Resource"] == pattern


@services
async def test_the_documented_rights_are_enough(guarded: Moto, service: str) -> None:
    """moto's IAM knows the actions of these services, and not their resources."""
    assert await checked(guarded, allowed(guarded, service), service=service) == SERVICES[service][2]


@services
async def test_the_documented_rights_are_enough_for_every_call(guarded: Moto, service: str) -> None:
    """The same rights as above, without a check: get, apply, delete and all in between."""
    access, secret = allowed(guarded, service)
    values = {"auth.static.accessKeyID": access, "auth.static.secretAccessKey": secret}
    credentials = MemoryCredentials({path: value.encode() for path, value in values.items()})
    store = await open_static(guarded.address, credentials=credentials, prefix=new_prefix(), service=service)
    engine, name = engine_over(store), ScopedName.parse("team-a/db")
    for value in ("1", "2"):
        await engine.apply(name, Secret({"key": value.encode()}, {f"label-{value}": value}), deadline=soon())
    assert (await engine.get(name)).secret.data == {"key": b"2"}
    await engine.delete(name, [], deadline=soon())
    await engine.apply(name, Secret({"key": b"3"}), deadline=soon())
    assert (await engine.get(name)).secret == Secret({"key": b"3"})
    await store.aclose()


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        pytest.param(service, operation, id=f"{service}-{operation}")
        for service, (_, operations, _) in SERVICES.items()
        for operation in operations
        if operation not in WRITES
    ],
)
async def test_a_missing_right_is_named(guarded: Moto, service: str, operation: str) -> None:
    error = await refused(guarded, allowed(guarded, service, without=operation), service=service)
    assert isinstance(error, StoreDenied)
    namespace, kind = SERVICES[service][0], "secret:" if service == "SecretsManager" else "parameter/"
    assert (
        f"allow {namespace}:{operation} on arn:aws:{namespace}:eu-west-1:*:{kind}crossplane/*"
        in error.message
    )
    assert "arn:aws:iam::123456789012:user/user-" in error.message


@services
async def test_reading_alone_is_a_warning(guarded: Moto, service: str) -> None:
    namespace, _, common = SERVICES[service]
    keys = guarded.user(*(f"{namespace}:{one}" for one in READING[service]))
    told, *rest = await checked(guarded, keys, service=service)
    assert told.startswith("read-only: apply and delete are denied; to allow them allow")
    assert rest == common


async def test_a_scope_that_the_service_takes_no_names_in_is_no_missing_right(moto: Moto) -> None:
    for operation in ("GetParameter", "DeleteParameter"):
        moto.fail(operation, status=400, code="ValidationException")
    access = [{"scopes": ["team+a"]}]
    assert await checked(moto, (ACCESS_KEY, SECRET_KEY), service="ParameterStore", access=access) == [WARNING]


@services
async def test_it_writes_nothing(moto: Moto, service: str) -> None:
    before = moto.client("secretsmanager").list_secrets()["SecretList"]
    moto.clear()
    await checked(moto, (ACCESS_KEY, SECRET_KEY), service=service)
    calls = moto.calls()
    tried = {probe.operation for probe in probes_of(spec_of(service=service), "x")}
    assert calls.keys() == tried
    assert not tried & WRITES
    assert len(moto.client("secretsmanager").list_secrets()["SecretList"]) == len(before)
    parameters = moto.client("ssm").describe_parameters()["Parameters"]
    assert [one["Name"] for one in parameters if "store-plugin-check" in one["Name"]] == []


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_resources_are_of_the_partition(region: str, partition: str) -> None:
    spec = spec_of(region=region, prefix="p")
    assert resource_of(spec) == f"arn:{partition}:secretsmanager:{region}:*:secret:p/*"


# Keys of KMS.


async def test_a_key_that_can_be_used(moto: Moto) -> None:
    for service, block in (("SecretsManager", "secretsManager"), ("ParameterStore", "parameterStore")):
        key = {"kmsKeyID": moto.key("alias/some")}
        told = await checked(moto, (ACCESS_KEY, SECRET_KEY), service=service, **{block: key})
        assert told == SERVICES[service][2]


async def test_rights_on_a_key_that_are_missing_are_a_warning(guarded: Moto) -> None:
    key = guarded.key("alias/some")
    namespace, operations, _ = SERVICES["SecretsManager"]
    keys = guarded.user(*(f"{namespace}:{one}" for one in operations), "kms:Decrypt")
    (told,) = await checked(guarded, keys, secretsManager={"kmsKeyID": key})
    assert f"secretsManager.kmsKeyID: kms:GenerateDataKey on {key} is denied" in told


async def test_a_key_that_is_not_there(moto: Moto) -> None:
    options = {"kmsKeyID": "alias/nowhere"}
    error = await refused(moto, (ACCESS_KEY, SECRET_KEY), secretsManager=options)
    assert isinstance(error, ConfigInvalid)
    assert "kmsKeyID alias/nowhere: there is no such key or alias in region eu-west-1" in error.message


async def test_a_key_of_a_replica_is_looked_for_in_its_region(moto: Moto) -> None:
    replica = {"region": "eu-central-1", "kmsKeyID": moto.key("alias/only-here")}
    error = await refused(moto, (ACCESS_KEY, SECRET_KEY), secretsManager={"replicaRegions": [replica]})
    assert "in region eu-central-1" in error.message


async def test_a_disabled_key(moto: Moto) -> None:
    key = moto.key("alias/disabled")
    moto.client("kms").disable_key(KeyId=key)
    error = await refused(moto, (ACCESS_KEY, SECRET_KEY), secretsManager={"kmsKeyID": key})
    assert "is disabled in region eu-west-1: enable it" in error.message


@pytest.mark.parametrize("operation", _USES)
def test_recorded_shape_of_kms_has_the_dry_runs_and_codes_that_are_expected(operation: str) -> None:
    """moto does not model dry runs (tests/support/moto_server.py adds them): here is what
    botocore's model of the service says of them."""
    model = botocore.session.get_session().get_service_model("kms").operation_model(operation)
    assert {"KeyId", "DryRun", *_USES[operation]} <= model.input_shape.members.keys()
    said = {shape.name for shape in model.error_shapes}
    common = {"AccessDeniedException", "AccessDenied"}
    assert _EXPECTED - common <= said


async def test_kms_that_does_not_answer_is_a_warning(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_port()}")
    (told,) = await checked(moto, (ACCESS_KEY, SECRET_KEY), secretsManager={"kmsKeyID": "alias/x"})
    assert "the key could not be checked" in told


# Logins and the way there.


async def test_an_access_key_that_nobody_has(guarded: Moto) -> None:
    error = await refused(guarded, ("AKIANOBODY", "x-secret-x"))
    assert isinstance(error, LoginRefused)
    assert error.message.endswith("mend auth.static, its accessKeyID and secretAccessKey")


async def test_a_wrong_secret_access_key(guarded: Moto) -> None:
    access, _ = allowed(guarded, "SecretsManager")
    error = await refused(guarded, (access, "x-secret-x"))
    assert isinstance(error, LoginRefused)
    assert "mend auth.static" in error.message


async def test_nobody_there(moto: Moto) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    error = await refused(moto, (ACCESS_KEY, SECRET_KEY), endpoint=nobody)
    assert isinstance(error, StoreUnavailable)
    assert error.message.endswith(f"mend endpoint {nobody}")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("RequestTimeTooSkewed", "set the clock"),
        ("ExpiredTokenException", "put new keys and their session token where auth.static points"),
        ("OptInRequired", "enable the region eu-west-1"),
        ("UnknownOperationException", "no SecretsManager answers there"),
    ],
)
async def test_what_to_do_about_codes_that_moto_does_not_give(moto: Moto, code: str, advice: str) -> None:
    """As the services' API references list them under common errors."""
    moto.fail("GetSecretValue", status=400, code=code)
    error = await refused(moto, (ACCESS_KEY, SECRET_KEY))
    assert advice in error.message


@pytest.mark.parametrize(
    ("said", "fields", "advice"),
    [
        ("GetSecretValue: EndpointConnectionError", {}, "is region eu-west-1 right?"),
        ("X: AssumeRole: AccessDenied", {}, "let the role's trust policy admit the identity before it"),
        ("X: AssumeRoleWithWebIdentity: InvalidIdentityToken", {}, "mend auth.webIdentity.roleARN"),
        ("X: ExpiredTokenException", {}, "renew the credentials that the default chain finds"),
        ("X: ResponseParserError", {"endpoint": "https://a.b"}, "is not AWS: mend endpoint https://a.b"),
    ],
)
def test_what_to_do_by_what_aws_says(said: str, fields: dict[str, object], advice: str) -> None:
    told = advised(StoreUnavailable(said, retry_after=1.0), spec_of(**fields))
    assert advice in told.message
    assert told.retry_after == 1.0


def test_where_there_is_nothing_to_add_the_error_stays() -> None:
    error = StoreUnavailable("something else")
    assert advised(error, spec_of()) is error
