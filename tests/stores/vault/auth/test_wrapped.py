"""Secret IDs of AppRole that come wrapped: a wrapping token works once."""

import asyncio

import pytest

from store_plugin.errors import LoginRefused, StorePluginError
from store_plugin.testing.environment import MemoryCredentials
from stores.vault import VaultFactory
from stores.vault.store import VaultStore
from tests.stores.vault.opening import GIVEN, NAME, NO_POD, open_with, spec_of, works
from tests.support.openbao import OpenBao

REFERENCE = "auth.appRole.secretIdSource"


class Role:
    """An AppRole, and what it needs to log in wrapped."""

    def __init__(self, bao: OpenBao, mount: str, *, namespace: str = "", **options: object) -> None:
        self._bao = bao
        self._namespace = namespace
        policies = [bao.kv_policy(mount, namespace=namespace)]
        self.mount, self.role_id, self.secret_id = bao.approle(policies, namespace=namespace, **options)
        block = {"roleId": self.role_id, "mountPath": self.mount}
        block |= {"secretIdSource": GIVEN, "secretIdWrapped": True}
        self.spec = spec_of(bao.address, mount, {"method": "AppRole", "appRole": block}, namespace=namespace)

    def wrapped(self, ttl: str = "5m") -> bytes:
        path = f"auth/{self.mount}/role/app/secret-id"
        return self._bao.wrapped("POST", path, ttl, namespace=self._namespace).encode()


async def error_of(store: VaultStore) -> StorePluginError:
    with pytest.raises(StorePluginError) as caught:
        await store.read(NAME)
    assert "\n" not in caught.value.message
    return caught.value


def tokens_of(bao: OpenBao, role: Role) -> list[str]:
    """The accessors of the tokens that the role got."""
    mount = f"auth/{role.mount}/"
    return [accessor for accessor, data in bao.tokens().items() if data["path"].startswith(mount)]


def revoke_all(bao: OpenBao, role: Role) -> None:
    for accessor in tokens_of(bao, role):
        bao.api("POST", "auth/token/revoke-accessor", {"accessor": accessor})


async def test_it_is_unwrapped_once_and_kept_for_later_logins(bao: OpenBao, mount: str) -> None:
    role = Role(bao, mount)
    store = await open_with(role.spec, MemoryCredentials({REFERENCE: role.wrapped()}))
    assert await works(store)
    revoke_all(bao, role)
    assert (await store.read(NAME)).present
    await store.aclose()


async def test_it_is_unwrapped_in_the_namespace_of_the_login(bao: OpenBao) -> None:
    namespace = bao.namespace()
    mount = bao.mount_kv("v2", namespace=namespace)
    role = Role(bao, mount, namespace=namespace)
    store = await open_with(role.spec, MemoryCredentials({REFERENCE: role.wrapped()}))
    assert await works(store)
    await store.aclose()


async def test_the_store_after_a_changed_config_goes_on_with_it(bao: OpenBao, mount: str) -> None:
    role, factory = Role(bao, mount), VaultFactory(NO_POD)
    values = {REFERENCE: role.wrapped()}
    before, after = [await open_with(role.spec, MemoryCredentials(values), factory=factory) for _ in range(2)]
    assert all(await asyncio.gather(works(before), after.check())) is not None
    await before.aclose()
    assert (await after.read(NAME)).present
    await after.aclose()


async def test_a_changed_reference_is_unwrapped(bao: OpenBao, mount: str) -> None:
    role = Role(bao, mount)
    credentials = MemoryCredentials({REFERENCE: role.wrapped()})
    store = await open_with(role.spec, credentials)
    assert await works(store)
    bao.api("POST", f"auth/{role.mount}/role/app/secret-id/destroy", {"secret_id": "unknown"})
    for accessor in bao.api("LIST", f"auth/{role.mount}/role/app/secret-id")["data"]["keys"]:
        path = f"auth/{role.mount}/role/app/secret-id-accessor/destroy"
        bao.api("POST", path, {"secret_id_accessor": accessor})
    revoke_all(bao, role)
    error = await error_of(store)
    assert type(error) is LoginRefused
    assert f"wrap a new secret ID for {REFERENCE}" in error.message
    credentials.replace({REFERENCE: role.wrapped()})
    assert (await store.read(NAME)).present
    await store.aclose()


async def test_one_that_somebody_else_unwrapped_is_told(bao: OpenBao, mount: str) -> None:
    role = Role(bao, mount)
    token = role.wrapped()
    bao.api("POST", "sys/wrapping/unwrap", token=token.decode())
    store = await open_with(role.spec, MemoryCredentials({REFERENCE: token}))
    error = await error_of(store)
    assert type(error) is LoginRefused
    assert "somebody else may have unwrapped it" in error.message
    assert f"put a new wrapping token in {REFERENCE}" in error.message
    assert token.decode() not in error.message
    await store.aclose()


async def test_a_secret_id_that_is_not_wrapped_is_refused(bao: OpenBao, mount: str) -> None:
    role = Role(bao, mount)
    store = await open_with(role.spec, MemoryCredentials({REFERENCE: role.secret_id.encode()}))
    error = await error_of(store)
    assert type(error) is LoginRefused
    assert role.secret_id not in error.message
    await store.aclose()


async def test_something_else_in_the_wrapping_is_told(bao: OpenBao, mount: str) -> None:
    role = Role(bao, mount)
    token = bao.wrapped("GET", "sys/auth", "5m")
    store = await open_with(role.spec, MemoryCredentials({REFERENCE: token.encode()}))
    error = await error_of(store)
    assert type(error) is LoginRefused
    assert "what is wrapped is no secret ID" in error.message
    await store.aclose()
