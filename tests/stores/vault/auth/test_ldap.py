"""LDAP, against a real directory."""

import pytest

from store_plugin.errors import LoginRefused
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.store import VaultStore
from tests.stores.vault.opening import GIVEN, NAME, open_with, spec_of, works
from tests.support.ldap import GROUP, PASSWORD, USER
from tests.support.openbao import OpenBao
from tests.support.ports import free_port

REFERENCE = "auth.ldap.passwordSource"


async def open_ldap(
    bao: OpenBao, directory: str, *, user: str = USER, password: str = PASSWORD
) -> VaultStore:
    mount = bao.mount_kv("v2")
    auth_mount = bao.ldap_auth([bao.kv_policy(mount)], directory, GROUP, mount=f"corp/{mount}")
    block = {"username": user, "mountPath": auth_mount, "passwordSource": GIVEN}
    spec = spec_of(bao.address, mount, {"method": "LDAP", "ldap": block})
    return await open_with(spec, MemoryCredentials({REFERENCE: password.encode()}))


async def test_a_person_of_the_directory(plugin_bao: OpenBao, directory: str) -> None:
    store = await open_ldap(plugin_bao, directory)
    assert await works(store)
    await store.aclose()


@pytest.mark.parametrize(
    ("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD)], ids=["wrong", "unknown"]
)
async def test_a_person_whom_the_directory_refuses(
    plugin_bao: OpenBao, directory: str, user: str, password: str
) -> None:
    store = await open_ldap(plugin_bao, directory, user=user, password=password)
    with pytest.raises(
        LoginRefused, match=r"mend auth\.ldap: username, passwordSource and mountPath"
    ) as caught:
        await store.read(NAME)
    assert password not in caught.value.message
    await store.aclose()


async def test_a_directory_that_is_away_is_named(plugin_bao: OpenBao) -> None:
    """The server says no as it does to a wrong password; its text tells."""
    store = await open_ldap(plugin_bao, f"ldap://127.0.0.1:{free_port()}")
    with pytest.raises(LoginRefused, match="error connecting to host"):
        await store.read(NAME)
    await store.aclose()
