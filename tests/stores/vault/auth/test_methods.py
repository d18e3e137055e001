"""Each way to log in, against the real server."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from store_plugin.errors import ConfigInvalid, LoginRefused
from store_plugin.testing.environment import MemoryCredentials, RecordingLog
from stores.vault.store import VaultStore
from tests.stores.vault.opening import GIVEN, NAME, WITH_TOKEN, open_with, spec_of, works
from tests.support.certificates import CertificateAuthority, private_pem, public_pem
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao

SOURCE = "auth.kubernetes.serviceAccountTokenSource"


async def test_a_token_of_the_config(bao: OpenBao, mount: str) -> None:
    token = bao.token([bao.kv_policy(mount)])
    credentials = MemoryCredentials({"auth.token": f" {token}\n".encode()})
    store = await open_with(spec_of(bao.address, mount, WITH_TOKEN), credentials)
    assert await works(store)
    await store.aclose()
    assert bao.api("GET", "auth/token/lookup-self", token=token), "the token is not ours to revoke"


async def test_a_token_that_may_not_look_itself_up(bao: OpenBao, mount: str) -> None:
    token = bao.token([bao.kv_policy(mount)], no_default_policy=True, ttl="1h")
    store = await open_with(
        spec_of(bao.address, mount, WITH_TOKEN), MemoryCredentials({"auth.token": token.encode()})
    )
    assert await works(store)
    await store.aclose()


async def test_a_token_that_changes_is_used_at_once(bao: OpenBao, mount: str) -> None:
    policy = bao.kv_policy(mount)
    credentials = MemoryCredentials({"auth.token": b"wrong"})
    store = await open_with(spec_of(bao.address, mount, WITH_TOKEN), credentials)
    with pytest.raises(LoginRefused):
        await store.read(NAME)
    credentials.replace({"auth.token": bao.token([policy]).encode()})
    assert await works(store)
    credentials.replace({"auth.token": b"wrong again"})
    with pytest.raises(ConfigInvalid):
        await store.read(NAME)
    await store.aclose()
    assert credentials.subscribers == 0


async def test_an_approle(bao: OpenBao, mount: str) -> None:
    auth_mount, role_id, secret_id = bao.approle([bao.kv_policy(mount)])
    block = {"roleId": role_id, "mountPath": f"/{auth_mount}/", "secretIdSource": GIVEN}
    store = await open_with(
        spec_of(bao.address, mount, {"method": "AppRole", "appRole": block}),
        MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()}),
    )
    assert await works(store)
    await store.aclose()


async def test_an_approle_that_binds_no_secret_id(bao: OpenBao, mount: str) -> None:
    auth_mount, role_id, _ = bao.approle(
        [bao.kv_policy(mount)], bind_secret_id=False, token_bound_cidrs=["127.0.0.1/32"]
    )
    block = {"roleId": role_id, "mountPath": auth_mount}
    store = await open_with(
        spec_of(bao.address, mount, {"method": "AppRole", "appRole": block}), MemoryCredentials()
    )
    assert await works(store)
    await store.aclose()


@pytest.mark.parametrize("secret_id", ["wrong", None], ids=["wrong", "missing"])
async def test_a_refused_approle(bao: OpenBao, mount: str, secret_id: str | None) -> None:
    auth_mount, role_id, _ = bao.approle([bao.kv_policy(mount)])
    values = {"auth.appRole.secretIdSource": secret_id.encode()} if secret_id else {}
    block = {"roleId": role_id, "mountPath": auth_mount}
    store = await open_with(
        spec_of(bao.address, mount, {"method": "AppRole", "appRole": block}), MemoryCredentials(values)
    )
    with pytest.raises(LoginRefused, match=f"VaultConfig/test: POST /v1/auth/{auth_mount}/login"):
        await store.read(NAME)
    await store.aclose()


async def test_a_jwt(bao: OpenBao, mount: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    auth_mount = bao.jwt_auth([bao.kv_policy(mount)], public_pem(key), subject="operator")
    claims = {"sub": "operator", "aud": "vault", "iat": int(time()), "exp": int(time()) + 300}
    token = jwt.encode(claims, private_pem(key), algorithm="ES256")
    block = {"role": "app", "mountPath": auth_mount, "tokenSource": GIVEN}
    store = await open_with(
        spec_of(bao.address, mount, {"method": "JWT", "jwt": block}),
        MemoryCredentials({"auth.jwt.tokenSource": token.encode()}),
    )
    assert await works(store)
    await store.aclose()


async def test_a_jwt_of_somebody_else_is_refused(bao: OpenBao, mount: str) -> None:
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    auth_mount = bao.jwt_auth([bao.kv_policy(mount)], public_pem(key), subject="operator")
    claims = {"sub": "operator", "aud": "vault", "iat": int(time()), "exp": int(time()) + 300}
    token = jwt.encode(claims, private_pem(other), algorithm="ES256")
    block = {"role": "app", "mountPath": auth_mount, "tokenSource": GIVEN}
    store = await open_with(
        spec_of(bao.address, mount, {"method": "JWT", "jwt": block}),
        MemoryCredentials({"auth.jwt.tokenSource": token.encode()}),
    )
    with pytest.raises(LoginRefused):
        await store.read(NAME)
    await store.aclose()


class Account:
    """A ServiceAccount of the cluster and a token of it, as the kubelet would give it to a Pod."""

    def __init__(self, cluster: Cluster, namespace: str, name: str = "provider") -> None:
        self.namespace = namespace
        self.name = name
        self.user = cluster.login_account(namespace, name)
        self.token = cluster.token(self.user).encode()


@pytest.fixture
def account(cluster: Cluster) -> Account:
    return Account(cluster, cluster.namespace())


OpenAs = Callable[..., Awaitable[VaultStore]]


@pytest.fixture
def open_as(bao: OpenBao, mount: str, cluster: Cluster, ca: CertificateAuthority) -> OpenAs:
    """Opens a store that logs in to a Kubernetes auth of the real API server."""

    async def open_it(
        account: Account,
        *,
        name: str = "provider",
        values: dict[str, bytes] | None = None,
        pod_token: Path = Path("/nonexistent/token"),
        log: RecordingLog | None = None,
    ) -> VaultStore:
        auth_mount = bao.kubernetes_auth(
            [bao.kv_policy(mount)],
            cluster.address,
            ca.pem,
            service_account=name,
            scope=account.namespace,
        )
        auth = {"method": "Kubernetes", "kubernetes": {"role": "app", "mountPath": auth_mount}}
        spec = spec_of(bao.address, mount, auth)
        return await open_with(spec, MemoryCredentials(values), pod_token=pod_token, log=log)

    return open_it


async def test_a_service_account_of_the_config(open_as: OpenAs, account: Account) -> None:
    store = await open_as(account, values={SOURCE: account.token})
    assert await works(store)
    await store.aclose()


async def test_the_pods_service_account_is_read_at_each_login(
    bao: OpenBao, cluster: Cluster, open_as: OpenAs, account: Account, tmp_path: Path
) -> None:
    file, log = tmp_path / "token", RecordingLog()
    file.write_bytes(account.token + b"\n")
    store = await open_as(account, name="*", pod_token=file, log=log)
    assert await works(store)
    other = Account(cluster, account.namespace, "other")
    file.write_bytes(other.token)
    revoke_all(bao, {"role": "app"})
    with cluster.recorded(other.user) as requests:
        assert (await store.read(NAME)).present
    assert [(request.verb, request.resource) for request in requests] == [("create", "tokenreviews")]
    await store.aclose()


async def test_a_service_account_of_another_name_is_refused(open_as: OpenAs, account: Account) -> None:
    store = await open_as(account, name="somebody-else", values={SOURCE: account.token})
    with pytest.raises(LoginRefused):
        await store.read(NAME)
    await store.aclose()


async def test_a_service_account_that_is_gone_is_refused(
    cluster: Cluster, open_as: OpenAs, account: Account
) -> None:
    cluster.api("DELETE", f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}")
    async with asyncio.timeout(60):
        while await lets_in(await open_as(account, values={SOURCE: account.token})):
            await asyncio.sleep(0.1)  # the API server may not know yet, and keeps what it found for a while


async def lets_in(store: VaultStore) -> bool:
    try:
        await store.read(NAME)
    except LoginRefused:
        return False
    finally:
        await store.aclose()
    return True


async def test_outside_of_a_pod_the_error_says_what_to_do(open_as: OpenAs, account: Account) -> None:
    store = await open_as(account)
    with pytest.raises(ConfigInvalid, match=r"auth\.kubernetes\.serviceAccountTokenSource"):
        await store.read(NAME)
    await store.aclose()


def revoke_all(bao: OpenBao, metadata: dict[str, str]) -> None:
    """Revoke the tokens whose metadata holds these entries."""
    for accessor, found in bao.tokens().items():
        if metadata.items() <= (found.get("meta") or {}).items():
            bao.api("POST", "auth/token/revoke-accessor", {"accessor": accessor})


async def test_secrets_and_login_in_a_namespace(bao: OpenBao) -> None:
    namespace = bao.namespace()
    mount = bao.mount_kv("v2", namespace=namespace)
    auth_mount, role_id, secret_id = bao.approle(
        [bao.kv_policy(mount, namespace=namespace)], namespace=namespace
    )
    block = {"roleId": role_id, "mountPath": auth_mount, "secretIdSource": GIVEN}
    store = await open_with(
        spec_of(bao.address, mount, {"method": "AppRole", "appRole": block}, namespace=f"{namespace}/"),
        MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()}),
    )
    assert await works(store)
    assert bao.api("GET", f"{mount}/data/{NAME}", namespace=namespace)["data"]["data"] == {"a": "1"}
    in_front = spec_of(bao.address, f"{namespace}/{mount}", {"method": "AppRole", "appRole": block})
    beside = await open_with(in_front, MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()}))
    assert beside.location(NAME) == store.location(NAME)
    await beside.aclose()
    await store.aclose()


async def test_login_in_another_namespace_than_the_secrets(bao: OpenBao) -> None:
    namespace = bao.namespace()
    mount = bao.mount_kv("v2", namespace=namespace)
    policy = bao.policy({f"{namespace}/{mount}/*": ["create", "read", "update", "delete"]})
    auth_mount, role_id, secret_id = bao.approle([policy])
    block = {"roleId": role_id, "mountPath": auth_mount, "secretIdSource": GIVEN}
    auth = {"method": "AppRole", "appRole": block}
    store = await open_with(
        spec_of(bao.address, mount, auth, namespace=namespace, authNamespace=""),
        MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()}),
    )
    assert await works(store)
    await store.aclose()
