"""UserPass, and what every login shares: mounts with several segments, namespaces, passwords
read at each login, a second factor."""

import pytest

from store_plugin.errors import ConfigInvalid, LoginRefused, StorePluginError
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.store import VaultStore
from tests.stores.vault.opening import GIVEN, NAME, open_with, refusal_of, spec_of, works
from tests.support.openbao import OpenBao

REFERENCE = "auth.userPass.passwordSource"
PASSWORD = 'käse "quoted" \\ and spaces'


def auth_of(mount: str, user: str = "operator") -> dict[str, object]:
    block = {"username": user, "mountPath": mount, "passwordSource": GIVEN}
    return {"method": "UserPass", "userPass": block}


async def open_user(
    bao: OpenBao, mount: str, auth_mount: str, password: bytes | MemoryCredentials, **fields: object
) -> VaultStore:
    given = password if isinstance(password, MemoryCredentials) else MemoryCredentials({REFERENCE: password})
    return await open_with(spec_of(bao.address, mount, auth_of(auth_mount), **fields), given)


@pytest.mark.usefixtures("unhurried_end")
async def test_a_user_with_a_password(bao: OpenBao, mount: str) -> None:
    auth_mount = bao.userpass([bao.kv_policy(mount)], "operator", PASSWORD)
    store = await open_user(bao, mount, auth_mount, PASSWORD.encode())
    before = bao.accessors()
    assert await works(store)
    (ours,) = bao.accessors() - before
    await store.aclose()
    assert ours not in bao.accessors(), "the token was made for us"


async def test_a_mount_with_several_segments(bao: OpenBao, mount: str) -> None:
    auth_mount = bao.userpass([bao.kv_policy(mount)], "operator", PASSWORD, mount=f"teams/{mount}/people")
    store = await open_user(bao, mount, f"/{auth_mount}/", PASSWORD.encode())
    assert await works(store)
    await store.aclose()


async def test_a_login_in_another_namespace(bao: OpenBao) -> None:
    namespace = bao.namespace()
    mount = bao.mount_kv("v2", namespace=namespace)
    auth_mount = bao.userpass([bao.policy({f"{namespace}/{mount}/*": ["create", "read"]})], "operator", "p")
    store = await open_user(bao, mount, auth_mount, b"p", namespace=namespace, authNamespace="")
    assert await works(store)
    await store.aclose()


async def test_a_user_name_is_one_segment_whatever_it_holds(bao: OpenBao, mount: str) -> None:
    """The request names the user, and nothing else in the server's tree."""
    auth_mount = bao.userpass([bao.kv_policy(mount)], "operator", "p")
    spec = spec_of(bao.address, mount, auth_of(auth_mount, "x?y#z%2f..%2foperator"))
    store = await open_with(spec, MemoryCredentials({REFERENCE: b"p"}))
    with pytest.raises(StorePluginError, match=r"login/x%3Fy%23z%252f\.\.%252foperator: "):
        await store.read(NAME)
    await store.aclose()


async def test_a_wrong_password_is_refused(bao: OpenBao, mount: str) -> None:
    auth_mount = bao.userpass([bao.kv_policy(mount)], "operator", PASSWORD)
    error = await refusal_of(await open_user(bao, mount, auth_mount, b"canary"))
    assert type(error) is LoginRefused
    assert error.message.endswith("; mend auth.userPass: username, passwordSource and mountPath")
    assert "canary" not in error.message


async def test_a_mount_where_nothing_is_mounted_is_refused(bao: OpenBao, mount: str) -> None:
    error = await refusal_of(await open_user(bao, mount, "nowhere", b"p"))
    assert type(error) is LoginRefused
    assert "is auth.userPass.mountPath right?" in error.message


@pytest.mark.parametrize(
    ("password", "said"),
    [(b"", "empty"), (b"\xff", "UTF-8"), (None, "missing")],
    ids=["empty", "bytes", "none"],
)
async def test_a_password_that_is_none_is_told(
    bao: OpenBao, mount: str, password: bytes | None, said: str
) -> None:
    values = {} if password is None else {REFERENCE: password}
    error = await refusal_of(await open_user(bao, mount, "userpass", MemoryCredentials(values)))
    assert type(error) is ConfigInvalid
    assert REFERENCE in error.message
    assert said in error.message


async def test_a_changed_password_is_used_by_the_next_login(bao: OpenBao, mount: str) -> None:
    auth_mount = bao.userpass([bao.kv_policy(mount)], "operator", "first")
    credentials = MemoryCredentials({REFERENCE: b"first"})
    store = await open_user(bao, mount, auth_mount, credentials)
    before = bao.accessors()
    assert await works(store)
    (ours,) = bao.accessors() - before
    bao.api("POST", f"auth/{auth_mount}/users/operator/password", {"password": "second"})
    credentials.replace({REFERENCE: b"second"})
    bao.api("POST", "auth/token/revoke-accessor", {"accessor": ours})
    assert (await store.read(NAME)).present
    await store.aclose()


async def test_a_demand_for_a_second_factor_is_told(bao: OpenBao, mount: str) -> None:
    auth_mount = bao.userpass([bao.kv_policy(mount)], "operator", "p")
    bao.demand_totp(auth_mount)
    error = await refusal_of(await open_user(bao, mount, auth_mount, b"p"))
    assert type(error) is LoginRefused
    assert "second factor" in error.message
