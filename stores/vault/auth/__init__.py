"""How to log in: a small module per method, one interface."""

from pathlib import Path

from store_plugin.store import Credentials
from stores.vault.auth.approle import AppRoleMethod
from stores.vault.auth.grant import AuthMethod, Grant
from stores.vault.auth.jwt import JWTMethod
from stores.vault.auth.kubernetes import KubernetesMethod
from stores.vault.auth.token import TokenMethod
from stores.vault.spec import Auth

__all__ = ["AuthMethod", "Grant", "method_for"]


def method_for(auth: Auth, credentials: Credentials, pod_token: Path) -> AuthMethod:
    """The method that `auth` names; `pod_token` is the file of the Pod's own ServiceAccount token."""
    if auth.method == "Kubernetes" and auth.kubernetes:
        return KubernetesMethod(auth.kubernetes, credentials, pod_token)
    if auth.method == "AppRole" and auth.app_role:
        return AppRoleMethod(auth.app_role, credentials)
    if auth.method == "JWT" and auth.jwt:
        return JWTMethod(auth.jwt, credentials, pod_token)
    return TokenMethod(credentials)
