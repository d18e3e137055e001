"""How to log in: a small module per method, one interface."""

from pathlib import Path

from store_plugin.store import Credentials
from stores.vault.auth.approle import AppRoleMethod
from stores.vault.auth.aws import AWSMethod
from stores.vault.auth.cert import CertMethod
from stores.vault.auth.grant import AuthMethod, Grant
from stores.vault.auth.jwt import JWTMethod
from stores.vault.auth.kubernetes import KubernetesMethod
from stores.vault.auth.password import PasswordMethod
from stores.vault.auth.token import TokenMethod
from stores.vault.auth_spec import (
    AppRoleAuth,
    AWSAuth,
    CertAuth,
    JWTAuth,
    KubernetesAuth,
    LDAPAuth,
    UserPassAuth,
)
from stores.vault.secret_ids import SecretIds
from stores.vault.spec import VaultSpec

__all__ = ["AuthMethod", "Grant", "method_for"]


def method_for(
    spec: VaultSpec, credentials: Credentials, pod_token: Path, secret_ids: SecretIds
) -> AuthMethod:
    """The method that `spec.auth` names; `pod_token` is the file of the Pod's own
    ServiceAccount token, `secret_ids` what is shared by all stores."""
    match spec.auth.block:
        case KubernetesAuth() as block:
            return KubernetesMethod(block, credentials, pod_token)
        case AppRoleAuth() as block:
            return AppRoleMethod(block, credentials, spec.server, secret_ids)
        case JWTAuth() as block:
            return JWTMethod(block, credentials, pod_token)
        case UserPassAuth() as block:
            return PasswordMethod(block, credentials, "userPass")
        case LDAPAuth() as block:
            return PasswordMethod(block, credentials, "ldap")
        case CertAuth() as block:
            return CertMethod(block)
        case AWSAuth() as block:
            return AWSMethod(block, credentials)
        case _:
            return TokenMethod(credentials)
