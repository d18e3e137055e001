"""AWS IAM, against Vault's own verification and an STS that checks signatures."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from json import loads
from pathlib import Path

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    MetadataRetrievalError,
    ProfileNotFound,
)

from store_plugin.errors import ConfigInvalid, LoginRefused, StorePluginError, StoreUnavailable
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.adapter import VaultAdapter
from stores.vault.auth.aws import AWSMethod
from stores.vault.auth.caller_identity import signed_request
from stores.vault.auth_spec import AWSAuth
from stores.vault.store import VaultStore
from tests.stores.vault.opening import GIVEN, open_with, refusal_of, spec_of, works
from tests.support.moto import forget_identity
from tests.support.openbao import OpenBao
from tests.support.sts import GuardedSTS

HEADER, REGION = "vault.example.com", "eu-west-1"
STATIC = {"accessKeyID": GIVEN, "secretAccessKey": GIVEN}
KEYS = {"accessKeyID": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "canary"}


@pytest.fixture(autouse=True)
def _no_identity_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_identity(monkeypatch)


async def open_aws(
    bao: OpenBao, sts: GuardedSTS, values: dict[str, bytes] | None, **block: object
) -> VaultStore:
    mount = bao.mount_kv("v2")
    auth_mount = bao.aws_auth(
        [bao.kv_policy(mount)],
        sts.address,
        sts.identity,
        region=REGION,
        header=HEADER,
        mount=f"cloud/{mount}",
    )
    given = {"role": "crossplane", "region": REGION, "headerValue": HEADER, "stsEndpoint": sts.address}
    whole = {**given, "mountPath": auth_mount, **({"static": STATIC} if values else {}), **block}
    spec = spec_of(bao.address, mount, {"method": "AWS", "aws": whole})
    return await open_with(spec, MemoryCredentials(values))


async def test_static_keys(plugin_bao: OpenBao, sts: GuardedSTS) -> None:
    store = await open_aws(plugin_bao, sts, sts.values())
    assert await works(store)
    await store.aclose()


async def test_the_default_chain(
    plugin_bao: OpenBao, sts: GuardedSTS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", sts.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sts.secret_key)
    store = await open_aws(plugin_bao, sts, None)
    assert await works(store)
    await store.aclose()


async def test_a_chain_without_credentials_says_what_to_do(plugin_bao: OpenBao, sts: GuardedSTS) -> None:
    error = await refusal_of(await open_aws(plugin_bao, sts, None))
    assert type(error) is ConfigInvalid
    assert "auth.aws" in error.message
    assert "set static" in error.message


async def test_a_wrong_key_is_refused(plugin_bao: OpenBao, sts: GuardedSTS) -> None:
    values = {**sts.values(), "auth.aws.static.secretAccessKey": b"canary"}
    error = await refusal_of(await open_aws(plugin_bao, sts, values))
    assert type(error) is LoginRefused
    assert "mend auth.aws" in error.message
    assert "canary" not in error.message


@pytest.mark.parametrize(
    "block",
    [{"role": "missing"}, {"headerValue": "elsewhere"}, {"headerValue": None}],
    ids=["role", "header", "no header"],
)
async def test_a_wrong_role_or_header_is_refused(
    plugin_bao: OpenBao, sts: GuardedSTS, block: dict[str, object]
) -> None:
    error = await refusal_of(await open_aws(plugin_bao, sts, sts.values(), **block))
    assert type(error) is LoginRefused
    assert "auth.aws" in error.message


async def test_a_key_that_is_missing_is_told(plugin_bao: OpenBao, sts: GuardedSTS) -> None:
    values = {"auth.aws.static.accessKeyID": b"AKIA"}
    error = await refusal_of(await open_aws(plugin_bao, sts, values))
    assert type(error) is ConfigInvalid
    assert "auth.aws.static.secretAccessKey" in error.message


@pytest.mark.parametrize(
    ("block", "url", "scope"),
    [
        pytest.param({}, "https://sts.amazonaws.com/", "us-east-1", id="global"),
        pytest.param(
            {"region": "eu-west-1"}, "https://sts.eu-west-1.amazonaws.com/", "eu-west-1", id="region"
        ),
        pytest.param(
            {"region": "cn-north-1"}, "https://sts.cn-north-1.amazonaws.com.cn/", "cn-north-1", id="china"
        ),
        pytest.param(
            {"region": "eu-west-1", "stsEndpoint": "https://vpce-1.example.com/"},
            "https://vpce-1.example.com/",
            "eu-west-1",
            id="endpoint",
        ),
    ],
)
async def test_which_endpoint_a_request_is_signed_for(block: dict[str, str], url: str, scope: str) -> None:
    request = await asyncio.to_thread(signed_request, AWSAuth.model_validate(block), KEYS)
    headers = loads(request.headers_json)
    assert request.url == url
    assert f"/{scope}/sts/aws4_request" in headers["Authorization"]
    assert "canary" not in repr(request)


async def test_a_session_goes_along() -> None:
    request = await asyncio.to_thread(signed_request, AWSAuth(), {**KEYS, "sessionToken": "session"})
    assert loads(request.headers_json)["X-Amz-Security-Token"] == "session"


async def test_without_what_signs_it_is_told_what_to_install(
    plugin_bao: OpenBao, sts: GuardedSTS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "stores.vault.auth.caller_identity")
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    error = await refusal_of(await open_aws(plugin_bao, sts, sts.values()))
    assert type(error) is ConfigInvalid
    assert "install store-plugin with the extra aws too" in error.message


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        pytest.param(ClientError({}, "AssumeRoleWithWebIdentity"), LoginRefused, id="refused"),
        pytest.param(ConnectTimeoutError(endpoint_url="https://x"), StoreUnavailable, id="away"),
        pytest.param(ProfileNotFound(profile="canary"), ConfigInvalid, id="profile"),
        pytest.param(MetadataRetrievalError(error_msg="canary"), ConfigInvalid, id="metadata"),
    ],
)
def test_a_chain_that_fails_is_told(
    raised: Exception, kind: type[StorePluginError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise raised

    monkeypatch.setattr("botocore.session.Session.get_credentials", fails)
    with pytest.raises(kind, match=r"auth\.aws") as caught:
        signed_request(AWSAuth(), None)
    assert "canary" not in str(caught.value)


@pytest.fixture
def silent_sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    """The role of a Pod (IRSA), and an STS that takes connections and never answers."""
    (tmp_path / "token").write_text("pod.token")
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/store-plugin")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("AWS_REGION", REGION)
        yield server


async def test_a_chain_that_hangs_takes_no_thread_that_others_need(silent_sts: socket.socket) -> None:
    """Files of configs and certificates are read on those of the event loop."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    method = AWSMethod(AWSAuth.model_validate({"role": "app"}), MemoryCredentials())
    login = asyncio.create_task(method.login(lambda token: VaultAdapter(None, {})))  # type: ignore[arg-type]
    connection, _ = await loop.sock_accept(silent_sts)
    with closing(connection):
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(len, "abc") == 3
        login.cancel()
        await asyncio.wait([login])


def test_a_chain_is_not_waited_for_without_end(
    silent_sts: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.vault.auth.caller_identity.READ_SECONDS", 0.2)
    with pytest.raises(StoreUnavailable, match="AWS does not answer") as caught:
        signed_request(AWSAuth(), None)
    assert caught.value.retry_after
    silent_sts.accept()[0].close()
    with pytest.raises(BlockingIOError):
        silent_sts.accept()  # what repeats, and backs off, is the login


def test_another_login_never_imports_what_signs() -> None:
    program = (
        "import sys, stores.vault.opening\n"
        "assert not {'boto3', 'botocore', 'cryptography'} & sys.modules.keys(), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
