"""What a VaultConfig may say. Every manifest of ess-plugin-vault's VaultConfig is valid
here and means the same; the fields it does not know come from us."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from store_plugin.spec import CredentialReference, Manifest, Rule, StoreSpec
from stores.vault.address import checked_path, checked_server
from stores.vault.auth_spec import Auth, MountPath
from stores.vault.scope import checked_template

_MOST_VERSIONS = 2**31 - 1
"""Most that the server takes."""
_NO_VERSIONS = "KV version 1 keeps no versions: leave maxVersions out"
_NOT_ENCRYPTED = "clientCertificate needs a server with https://"
_NO_CERTIFICATE = "method Cert logs in with clientCertificate: set its certificate and key"


def _checked_namespace(namespace: str) -> str:
    return checked_path(namespace) if namespace.strip("/") else ""


def _checked_prefix(prefix: str) -> str:
    return checked_template(checked_path(prefix)) if prefix.strip("/") else ""


Namespace = Annotated[str, AfterValidator(_checked_namespace)]
PathPrefix = Annotated[str, AfterValidator(_checked_prefix)]
Server = Annotated[str, AfterValidator(checked_server)]


class ClientCertificate(Manifest):
    """What the sidecar shows to a server that asks for a certificate, as PEM."""

    certificate: CredentialReference
    """The certificate, and after it those between it and the CA."""
    key: CredentialReference
    """Its private key, without a passphrase."""


class VaultSpec(StoreSpec):
    """A KV secrets engine of a Vault or OpenBao server."""

    columns: ClassVar[Mapping[str, str]] = {"Server": "server"}
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self.version != 'v1' || !has(self.maxVersions)", _NO_VERSIONS),
        Rule("!has(self.clientCertificate) || !self.server.startsWith('http://')", _NOT_ENCRYPTED),
        Rule("self.auth.method != 'Cert' || has(self.clientCertificate)", _NO_CERTIFICATE),
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
    client_certificate: ClientCertificate | None = None
    """For a server that demands one, and for the login with it (`auth.cert`)."""
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

    @model_validator(mode="after")
    def _certificate_has_its_use(self) -> Self:
        if self.client_certificate and self.server.startswith("http://"):
            raise ValueError(_NOT_ENCRYPTED)
        if self.auth.method == "Cert" and not self.client_certificate:
            raise ValueError(_NO_CERTIFICATE)
        return self

    @property
    def login_namespace(self) -> str:
        return self.namespace if self.auth_namespace is None else self.auth_namespace
