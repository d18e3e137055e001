"""What a VaultConfig may say. Every manifest of ess-plugin-vault's VaultConfig is valid
here and means the same; the fields it does not know come from us."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from store_plugin.spec import CredentialReference, Manifest, StoreSpec

_NOT_IN_PATHS = re.compile(r"[\x00-\x20\x7f?#%\\]")


def _checked_path(path: str) -> str:
    """`path` without the slashes around it: `secret/` and `/secret` are the mount `secret`."""
    trimmed = path.strip("/")
    if any(segment in ("", ".", "..") for segment in trimmed.split("/")):
        raise ValueError("a path needs segments that are neither empty nor . nor ..")
    if _NOT_IN_PATHS.search(trimmed):
        raise ValueError(r"a path holds no white space, no control character and none of ? # % \ ")
    return trimmed


def _checked_namespace(namespace: str) -> str:
    return _checked_path(namespace) if namespace.strip("/") else ""


def _checked_server(server: str) -> str:
    """The address without a slash at its end, host in lower case: it is compared."""
    address = urlsplit(server)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("the server is written like https://vault.example.com:8200")
    if address.username or address.password or address.query or address.fragment:
        raise ValueError("the server's address holds neither user, query nor fragment")
    if address.path.strip("/"):
        _checked_path(address.path)
    if address.port == 0:
        raise ValueError("0 is no port")
    return f"{address.scheme}://{address.netloc.lower()}{address.path.rstrip('/')}"


MountPath = Annotated[str, AfterValidator(_checked_path)]
Namespace = Annotated[str, AfterValidator(_checked_namespace)]
Server = Annotated[str, AfterValidator(_checked_server)]


class KubernetesAuth(Manifest):
    """Login with a ServiceAccount's token."""

    role: str = Field(min_length=1)
    mount_path: MountPath = "kubernetes"
    service_account_token_source: CredentialReference | None = None
    """Left out: the token of the Pod that runs the sidecar."""


class AppRoleAuth(Manifest):
    """Login with a role ID and, where the role demands one, a secret ID."""

    role_id: str = Field(min_length=1)
    mount_path: MountPath = "approle"
    secret_id_source: CredentialReference | None = None


class JWTAuth(Manifest):
    """Login with a JWT whose issuer the server trusts."""

    role: str = Field(min_length=1)
    mount_path: MountPath = "jwt"
    token_source: CredentialReference | None = None
    """Left out: the ServiceAccount token of the Pod that runs the sidecar."""


class Auth(Manifest):
    """How to log in: the method and its block."""

    method: Literal["Token", "Kubernetes", "AppRole", "JWT"]
    token: CredentialReference | None = None
    kubernetes: KubernetesAuth | None = None
    app_role: AppRoleAuth | None = None
    jwt: JWTAuth | None = None

    @model_validator(mode="after")
    def _method_has_its_block(self) -> Self:
        blocks = {
            "Token": ("token", self.token),
            "Kubernetes": ("kubernetes", self.kubernetes),
            "AppRole": ("appRole", self.app_role),
            "JWT": ("jwt", self.jwt),
        }
        block, given = blocks[self.method]
        if given is None:
            raise ValueError(f"method {self.method} needs the block {block}")
        return self


class VaultSpec(StoreSpec):
    """A KV secrets engine of a Vault or OpenBao server."""

    server: Server
    mount_path: MountPath
    version: Literal["v1", "v2"] = "v2"
    """Of the KV secrets engine at `mountPath`."""
    namespace: Namespace = ""
    auth_namespace: Namespace | None = None
    """Namespace of the auth method, where it is not the one of the secrets."""
    ca_bundle: CredentialReference | None = None
    """PEM certificates the server's certificate is checked against; left out: the system's."""
    tls_server_name: str | None = None
    """Name expected in the server's certificate, where it is not the address's host."""
    auth: Auth

    @property
    def login_namespace(self) -> str:
        return self.namespace if self.auth_namespace is None else self.auth_namespace
