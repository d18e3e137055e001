"""Where credentials come from, told by the key that a request is signed with."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ConnectTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.utils import ContainerMetadataFetcher

from store_plugin.errors import ConfigInvalid, LoginRefused, StoreUnavailable
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials, RecordingLog, memory_environment
from stores.aws import AWSFactory
from stores.aws.access.client import CONNECT_SECONDS, READ_SECONDS
from stores.aws.store import AWSStore
from tests.stores.aws.opening import GIVEN, KEYS, NO_POD, STATIC, new_prefix, open_static, spec_of
from tests.support.moto import ACCESS_KEY, Moto
from tests.support.waiting import eventually

NAME = ScopedName.parse("team-a/db")
ROLE = "arn:aws:iam::123456789012:role/store-plugin"
OTHER_ROLE = "arn:aws:iam::210987654321:role/secrets"
STATIC_ID = "auth.static.accessKeyID"


async def open_with(
    moto: Moto,
    auth: dict[str, Any],
    values: dict[str, bytes] | None = None,
    *,
    factory: AWSFactory | None = None,
    pod_token: Path = NO_POD,
    **fields: object,
) -> AWSStore:
    spec = spec_of(endpoint=moto.address, auth={**auth, "stsEndpoint": moto.address}, **fields)
    credentials = MemoryCredentials(values)
    return await (factory or AWSFactory(pod_token)).open(spec, memory_environment(credentials))


async def signing_keys(moto: Moto, store: AWSStore) -> set[str]:
    """Which keys sign a read."""
    moto.clear()
    await store.read(NAME)
    return {request["key"] for request in moto.requests() if not request["operation"].startswith("Assume")}


# Static keys.


async def test_static_keys_sign(moto: Moto) -> None:
    store = await open_static(moto.address)
    assert await signing_keys(moto, store) == {ACCESS_KEY}
    await store.aclose()


async def test_changed_keys_are_used_from_the_next_request_on(moto: Moto) -> None:
    credentials = MemoryCredentials(KEYS)
    store = await open_static(moto.address, credentials=credentials)
    assert await signing_keys(moto, store) == {ACCESS_KEY}
    credentials.replace({**KEYS, STATIC_ID: b"AKIANEW"})
    assert await signing_keys(moto, store) == {"AKIANEW"}
    await store.aclose()
    assert credentials.subscribers == 0


async def test_keys_that_vanish_leave_the_ones_before_in_use(moto: Moto) -> None:
    credentials, log = MemoryCredentials(KEYS), RecordingLog()
    store = await open_static(moto.address, credentials=credentials, log=log)
    credentials.replace({})
    assert await signing_keys(moto, store) == {ACCESS_KEY}
    assert log.events("warning") == ["new credentials refused, the ones before stay in use"]
    await store.aclose()


@pytest.mark.parametrize("values", [{}, {**KEYS, STATIC_ID: b"\xff"}], ids=["missing", "no-text"])
async def test_keys_that_cannot_be_used_are_told_at_once(moto: Moto, values: dict[str, bytes]) -> None:
    with pytest.raises(ConfigInvalid, match=STATIC_ID):
        await open_static(moto.address, credentials=MemoryCredentials(values))


async def test_keys_that_the_service_refuses_refuse_the_login(moto: Moto) -> None:
    store = await open_static(moto.address)
    moto.fail("DescribeSecret", status=400, code="UnrecognizedClientException", times=9)
    with pytest.raises(LoginRefused):
        await store.check()
    await store.aclose()


# The default chain.


async def test_the_default_chain_takes_variables(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVARIABLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    store = await open_with(moto, {})
    assert await signing_keys(moto, store) == {"AKIAVARIABLE"}
    await store.aclose()


async def test_the_default_chain_takes_the_shared_file(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    store = await open_with(moto, {})
    assert await signing_keys(moto, store) == {"AKIAFILE"}
    await store.aclose()


async def test_a_chain_without_credentials_says_what_to_do(moto: Moto) -> None:
    for auth in ({}, {"roles": [{"roleARN": ROLE}]}):
        store = await open_with(moto, auth)
        with pytest.raises(ConfigInvalid, match="set auth"):
            await store.check()
        await store.aclose()


class Metadata:
    """What a machine's or a Pod's agent knows: credentials that end in `life` seconds."""

    def __init__(self) -> None:
        self.life = 3600
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def answer(self, path: str) -> bytes:
        if path == "/latest/api/token":
            return b"imds-token"
        if path == "/latest/meta-data/iam/security-credentials/":
            return b"the-role"
        end = datetime.now(UTC) + timedelta(seconds=self.life)
        return json.dumps(
            {
                "Code": "Success",
                "AccessKeyId": f"ASIA{len(self.requests)}",
                "SecretAccessKey": "x",
                "Token": "y",
                "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ).encode()


@pytest.fixture(autouse=True)
def _patience_with_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy takes longer than the second or two that botocore waits for them."""
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "60")
    monkeypatch.setattr(ContainerMetadataFetcher, "TIMEOUT_SECONDS", 60)


@contextmanager
def serving(metadata: Metadata) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            metadata.requests.append(
                (self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            )
            body = metadata.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_the_default_chain_asks_the_metadata_service_of_a_machine(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token of its own: version 2."""
    metadata = Metadata()
    with serving(metadata) as address:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
        store = await open_with(moto, {})
        assert {key[:4] for key in await signing_keys(moto, store)} == {"ASIA"}
        await store.aclose()
    assert metadata.requests[0][:2] == ("PUT", "/latest/api/token")
    assert all(headers["x-aws-ec2-metadata-token"] == "imds-token" for _, _, headers in metadata.requests[1:])


async def test_the_default_chain_asks_the_agent_of_an_eks_pod(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """EKS Pod Identity. Its credentials are asked for again before they end."""
    metadata, token = Metadata(), tmp_path / "token"
    token.write_text("pod-token")
    with serving(metadata) as address:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
        store = await open_with(moto, {})
        await signing_keys(moto, store)
        await signing_keys(moto, store)
        assert len(metadata.requests) == 1
        assert metadata.requests[0][2]["authorization"] == "pod-token"
        await store.aclose()
        metadata.life = 60
        short_lived = await open_with(moto, {})
        first = await signing_keys(moto, short_lived)
        assert await signing_keys(moto, short_lived) != first
        await short_lived.aclose()


async def test_the_default_chain_asks_the_agent_of_an_ecs_task(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the token that the task has in a variable."""
    metadata = Metadata()
    with serving(metadata) as address:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/v2/credentials/1")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "task-token")
        store = await open_with(moto, {})
        assert {key[:4] for key in await signing_keys(moto, store)} == {"ASIA"}
        await store.aclose()
    assert [(path, headers["authorization"]) for _, path, headers in metadata.requests] == [
        ("/v2/credentials/1", "task-token")
    ]


async def test_the_default_chain_takes_the_web_identity_of_the_environment(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As EKS injects it into a Pod whose ServiceAccount has a role (IRSA)."""
    token = tmp_path / "token"
    token.write_text("pod.token")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.address)
    store = await open_with(moto, {})
    await store.read(NAME)
    login = moto.requests()[0]
    assert (login["operation"], login["asked"]["WebIdentityToken"]) == (
        "AssumeRoleWithWebIdentity",
        "pod.token",
    )
    await store.aclose()


async def test_the_default_chain_takes_a_profile(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text("[profile team]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "team")
    store = await open_with(moto, {})
    assert await signing_keys(moto, store) == {"AKIAPROFILE"}
    await store.aclose()


# Roles.


async def test_a_chain_of_roles_is_taken_one_with_the_other(moto: Moto) -> None:
    tags = {"team": "a", "tier": "gold"}
    first = {"roleARN": ROLE, "sessionTags": tags, "transitiveTagKeys": ["team"], "sessionName": "one"}
    second = {"roleARN": OTHER_ROLE, "externalID": "tenant-7"}
    store = await open_with(moto, {**STATIC, "roles": [first, second]}, KEYS)
    await store.read(NAME)
    one, two, *reads = moto.requests()
    assert (one["key"], one["asked"]["RoleArn"]) == (ACCESS_KEY, ROLE)
    assert (
        one["asked"].items()
        >= {
            "RoleSessionName": "one",
            "Tags.member.1.Key": "team",
            "Tags.member.1.Value": "a",
            "Tags.member.2.Value": "gold",
            "TransitiveTagKeys.member.1": "team",
        }.items()
    )
    assert two["key"] not in ("", ACCESS_KEY)
    assert two["asked"].items() >= {"RoleArn": OTHER_ROLE, "ExternalId": "tenant-7"}.items()
    assert {request["key"] for request in reads}.isdisjoint({ACCESS_KEY, two["key"]})
    await store.aclose()


async def test_a_role_is_taken_once_for_all_who_wait(moto: Moto) -> None:
    store = await open_with(moto, {**STATIC, "roles": [{"roleARN": ROLE}]}, KEYS)
    await asyncio.gather(*(store.read(NAME) for _ in range(50)))
    assert moto.calls()["AssumeRole"] == 1
    await store.aclose()


async def test_a_role_is_taken_again_before_its_session_ends(moto: Moto) -> None:
    moto.sessions_live(300)
    store = await open_with(moto, {**STATIC, "roles": [{"roleARN": ROLE}]}, KEYS)
    await store.read(NAME)
    moto.sessions_live(3600)
    moto.calls()
    for _ in range(3):
        await store.read(NAME)
    assert moto.calls()["AssumeRole"] == 1
    await store.aclose()


async def test_a_session_that_aws_ends_early_is_replaced_by_one_login(moto: Moto) -> None:
    """As after a jump of the clock. A request that is refused so was not carried out."""
    store = await open_with(moto, {**STATIC, "roles": [{"roleARN": ROLE}]}, KEYS)
    await store.read(NAME)
    moto.calls()
    moto.fail("GetSecretValue", status=400, code="ExpiredTokenException")
    await asyncio.gather(*(store.read(NAME) for _ in range(10)))
    assert moto.calls()["AssumeRole"] == 1
    await store.aclose()


async def test_static_keys_whose_session_has_ended_are_told_so(moto: Moto) -> None:
    store = await open_with(moto, STATIC, KEYS)
    moto.fail("GetSecretValue", status=400, code="ExpiredTokenException", times=9)
    with pytest.raises(LoginRefused, match="renew them"):
        await store.read(NAME)
    assert moto.calls()["GetSecretValue"] == 1
    await store.aclose()


async def test_a_role_on_top_of_the_default_chain(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVARIABLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    store = await open_with(moto, {"roles": [{"roleARN": ROLE}]})
    await store.read(NAME)
    assert moto.requests()[0]["key"] == "AKIAVARIABLE"
    await store.aclose()


async def test_a_role_that_is_denied_refuses_the_login(moto: Moto) -> None:
    moto.fail("AssumeRole", status=403, code="AccessDenied", times=99)
    store = await open_with(moto, {**STATIC, "roles": [{"roleARN": ROLE}]}, KEYS)
    with pytest.raises(LoginRefused, match="AssumeRole"):
        await store.check()
    await store.aclose()


# Web identity.


async def test_web_identity_takes_the_token_of_the_pod(moto: Moto, tmp_path: Path) -> None:
    """No credentials are needed to ask for it. A rotated token is read when needed."""
    token = tmp_path / "token"
    token.write_text("pod.token.1\n")
    auth = {"method": "WebIdentity", "webIdentity": {"roleARN": ROLE, "sessionName": "me"}}
    moto.sessions_live(300)
    store = await open_with(moto, auth, pod_token=token)
    await store.read(NAME)
    login = moto.requests()[0]
    assert (login["operation"], login["key"]) == ("AssumeRoleWithWebIdentity", "")
    wanted = {"RoleArn": ROLE, "RoleSessionName": "me", "WebIdentityToken": "pod.token.1"}
    assert login["asked"].items() >= wanted.items()
    token.write_text("pod.token.2\n")
    await store.read(NAME)
    assert moto.requests()[0]["asked"]["WebIdentityToken"] == "pod.token.2"
    await store.aclose()


async def test_web_identity_takes_the_token_of_a_reference(moto: Moto) -> None:
    auth = {"method": "WebIdentity", "webIdentity": {"roleARN": ROLE, "tokenSource": GIVEN}}
    store = await open_with(moto, auth, {"auth.webIdentity.tokenSource": b"given.token"})
    await store.read(NAME)
    assert moto.requests()[0]["asked"]["WebIdentityToken"] == "given.token"
    await store.aclose()


async def test_a_pod_without_a_token_is_told_what_to_do(moto: Moto) -> None:
    store = await open_with(moto, {"method": "WebIdentity", "webIdentity": {"roleARN": ROLE}})
    with pytest.raises(ConfigInvalid, match="annotate the ServiceAccount"):
        await store.check()
    await store.aclose()


# Clients.


async def test_configs_of_one_identity_share_a_client(moto: Moto) -> None:
    factory = AWSFactory(NO_POD)
    stores = [await open_with(moto, STATIC, KEYS, factory=factory, prefix=new_prefix()) for _ in range(3)]
    other = await open_with(moto, STATIC, {**KEYS, STATIC_ID: b"AKIAOTHER"}, factory=factory)
    clients = factory._clients
    assert clients is not None
    assert len(clients) == 2
    for store in [*stores, other]:
        await store.aclose()
    assert len(clients) == 0


async def test_configs_of_other_regions_and_endpoints_have_clients_of_their_own(moto: Moto) -> None:
    factory = AWSFactory(NO_POD)
    places = ({}, {"region": "eu-central-1"}, {"service": "ParameterStore"}, {"prefix": new_prefix()})
    stores = [await open_with(moto, STATIC, KEYS, factory=factory, **place) for place in places]
    assert factory._clients is not None
    assert len(factory._clients) == 3
    for store in stores:
        await store.aclose()


@pytest.mark.parametrize(
    ("fields", "endpoint"),
    [
        ({}, "https://secretsmanager.eu-west-1.amazonaws.com"),
        ({"useDualStack": True}, "https://secretsmanager.eu-west-1.api.aws"),
        ({"region": "us-east-1", "useFIPS": True}, "https://secretsmanager-fips.us-east-1.amazonaws.com"),
        (
            {"region": "us-east-1", "useFIPS": True, "useDualStack": True},
            "https://secretsmanager-fips.us-east-1.api.aws",
        ),
        (
            {"region": "us-gov-west-1", "useFIPS": True, "service": "ParameterStore"},
            "https://ssm.us-gov-west-1.amazonaws.com",
        ),
        ({"region": "cn-north-1"}, "https://secretsmanager.cn-north-1.amazonaws.com.cn"),
    ],
    ids=["plain", "dual-stack", "fips", "both", "gov", "china"],
)
async def test_a_client_calls_the_endpoint_that_is_meant(fields: dict[str, Any], endpoint: str) -> None:
    spec = spec_of(auth=STATIC, **fields)
    store = await AWSFactory(NO_POD).open(spec, memory_environment(MemoryCredentials(KEYS)))
    assert store._client._client._client().meta.endpoint_url == endpoint
    await store.aclose()


@pytest.mark.parametrize(
    ("fields", "sts"),
    [
        ({}, "https://sts.us-east-1.amazonaws.com/"),
        ({"useFIPS": True}, "https://sts-fips.us-east-1.amazonaws.com/"),
        ({"useDualStack": True}, "https://sts.us-east-1.api.aws/"),
    ],
    ids=["plain", "fips", "dual-stack"],
)
@pytest.mark.parametrize("chain", ["environment", "roles", "web-identity"])
async def test_sts_is_asked_as_the_service_is_whichever_way_credentials_come(
    chain: str, fields: dict[str, Any], sts: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At an endpoint of the same kind, and with the same patience."""
    token = tmp_path / "token"
    token.write_text("pod.token")
    auth = {
        "environment": {},
        "roles": {**STATIC, "roles": [{"roleARN": ROLE}]},
        "web-identity": {"method": "WebIdentity", "webIdentity": {"roleARN": ROLE}},
    }[chain]
    if chain == "environment":
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    asked = []

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> None:
        timeout = session._timeout
        asked.append((request.url, (timeout.connect_timeout, timeout.read_timeout)))
        raise ConnectTimeoutError(endpoint_url=request.url)

    monkeypatch.setattr(URLLib3Session, "send", send)
    spec = spec_of(region="us-east-1", auth=auth, **fields)
    store = await AWSFactory(token).open(spec, memory_environment(MemoryCredentials(KEYS)))
    with pytest.raises(StoreUnavailable):
        await store.read(NAME)
    # Of a pair of calls each asks once: the first one's failure is not kept.
    assert asked == [(sts, (CONNECT_SECONDS, READ_SECONDS))] * 2
    await store.aclose()


async def test_an_endpoint_of_sts_is_called_as_it_is_beside_a_service_of_fips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> None:
        asked.append(request.url)
        raise ConnectTimeoutError(endpoint_url=request.url)

    monkeypatch.setattr(URLLib3Session, "send", send)
    auth = {**STATIC, "roles": [{"roleARN": ROLE}], "stsEndpoint": "https://vpce-1.example.com"}
    spec = spec_of(region="us-east-1", auth=auth, useFIPS=True)
    store = await AWSFactory(NO_POD).open(spec, memory_environment(MemoryCredentials(KEYS)))
    with pytest.raises(StoreUnavailable):
        await store.read(NAME)
    assert set(asked) == {"https://vpce-1.example.com/"}
    await store.aclose()


async def test_the_threads_of_a_client_end_with_it(moto: Moto) -> None:
    before = set(threading.enumerate())
    store = await open_static(moto.address)
    await asyncio.gather(*(store.read(NAME) for _ in range(50)))
    started = {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("aws-")}
    assert 0 < len(started) <= 16
    await store.aclose()
    await asyncio.to_thread(eventually, lambda: not any(thread.is_alive() for thread in started))


async def test_a_closed_store_says_so(moto: Moto) -> None:
    store = await open_static(moto.address)
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.read(NAME)


async def test_a_store_that_nobody_answers_for_is_unavailable() -> None:
    store = await open_static("http://127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match="check region"):
        await store.read(NAME)
    await store.aclose()


async def test_nothing_secret_is_logged_at_the_lowest_level(
    moto: Moto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = await open_with(moto, {**STATIC, "roles": [{"roleARN": ROLE}]}, KEYS, prefix=new_prefix())
    await store.write(NAME, Secret({"a": b"canary-value"}), base=ABSENT)
    assert (await store.read(NAME)).secret.data == {"a": b"canary-value"}
    await store.aclose()
    assert "canary-value" not in caplog.text
    assert KEYS["auth.static.secretAccessKey"].decode() not in caplog.text
