"""What is said about a refused login."""

import pytest

from store_plugin.errors import (
    ConfigInvalid,
    InvalidRequest,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.auth.advice import refused_login
from stores.vault.auth.password import PasswordMethod
from stores.vault.auth.token import TokenMethod
from stores.vault.auth_spec import LDAPAuth

LDAP = PasswordMethod(
    LDAPAuth.model_validate({"username": "a", "passwordSource": {"source": "None"}}),
    MemoryCredentials(),
    "ldap",
)
OTHERWISE = "mend auth.ldap: username, passwordSource and mountPath"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        pytest.param(StoreDenied("no"), OTHERWISE, id="denied"),
        pytest.param(InvalidRequest("no"), OTHERWISE, id="invalid"),
        pytest.param(
            StoreDenied("permission denied"), f"is auth.ldap.mountPath right? {OTHERWISE}", id="mount"
        ),
        pytest.param(
            InvalidRequest("invalid role name x"), "there is no such role: mend auth.ldap.role", id="role"
        ),
    ],
)
def test_a_login_that_is_not_let_in_is_refused(error: StorePluginError, advice: str) -> None:
    refused = refused_login(error, LDAP)
    assert type(refused) is LoginRefused
    assert refused.message == f"{error.message}; {advice}"


def test_a_token_has_no_mount() -> None:
    refused = refused_login(StoreDenied("permission denied"), TokenMethod(MemoryCredentials()))
    assert (
        refused.message
        == "permission denied; it is wrong, expired or revoked: put a new token where auth.token points"
    )


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), ConfigInvalid("no password"), LoginRefused("says it all")]
)
def test_anything_else_stays_what_it_is(error: StorePluginError) -> None:
    assert refused_login(error, LDAP) is error
