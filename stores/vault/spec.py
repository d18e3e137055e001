"""What a VaultConfig may say. Every manifest of ess-plugin-vault's VaultConfig is valid
here and means the same; the fields it does not know come from us."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from store_plugin.spec import Choice, CredentialReference, Manifest, Rule, StoreSpec
from stores.vault.address import checked_path, checked_server
from stores.vault.scope import checked_template

_MOST_VERSIONS = 2**31 - 1
"""Most that the server takes."""
_NO_VERSIONS = "KV version 1 keeps no versions: leave maxVersions out"


def _checked_namespace(namespace: str) -> str:
    return checked_path(namespace) if namespace.strip("/") else ""


def _checked_prefix(prefix: str) -> str:
    return checked_template(checked_path(prefix)) if prefix.strip("/") else ""


MountPath = Annotated[str, AfterValidator(checked_path)]
Namespace = Annotated[str, AfterValidator(_checked_namespace)]
PathPrefix = Annotated[str, AfterValidator(_checked_prefix)]
Server = Annotated[str, AfterValidator(checked_server)]


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

    choice: ClassVar[Choice] = Choice(
        "method", {"Token": "token", "Kubernetes": "kubernetes", "AppRole": "app_role", "JWT": "jwt"}
    )

    method: Literal["Token", "Kubernetes", "AppRole", "JWT"]
    token: CredentialReference | None = None
    kubernetes: KubernetesAuth | None = None
    app_role: AppRoleAuth | None = None
    jwt: JWTAuth | None = None


class VaultSpec(StoreSpec):
    """A KV secrets engine of a Vault or OpenBao server."""

    columns: ClassVar[Mapping[str, str]] = {"Server": "server"}
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self.version != 'v1' || !has(self.maxVersions)", _NO_VERSIONS),
    )

    server: Server
    mount_path: MountPath
    version: Literal["v1", "v2"] = "v2"
    """Of the KV secrets engine at `mountPath`."""
    path_prefix: PathPrefix = ""
    """Goes between the mount and the scoped name. `{scope}` in it stands for the name's
    first segment."""
    max_versions: int | None = Field(default=None, ge=1, le=_MOST_VERSIONS)
    """How many versions the engine keeps of a secret; left out: as it is set there."""
    namespace: Namespace = ""
    auth_namespace: Namespace | None = None
    """Namespace of the auth method, where it is not the one of the secrets."""
    ca_bundle: CredentialReference | None = None
    """PEM certificates the server's certificate is checked against; left out: the system's."""
    tls_server_name: str | None = None
    """Name expected in the server's certificate, where it is not the address's host."""
    http_client: Literal["Lean", "Aiohttp"] = "Lean"
    """Aiohttp: for a server that the lean client cannot talk to."""
    auth: Auth

    @model_validator(mode="after")
    def _only_version_2_keeps_versions(self) -> Self:
        if self.version == "v1" and self.max_versions is not None:
            raise ValueError(_NO_VERSIONS)
        return self

    @property
    def login_namespace(self) -> str:
        return self.namespace if self.auth_namespace is None else self.auth_namespace
