"""What the `auth` of a VaultConfig may say: a block per method.

Beside the modules that log in and not among them: those need hvac, and a manifest is
validated without it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from store_plugin.spec import Choice, CredentialReference, Manifest, Rule
from stores.vault.address import checked_path
from stores.vault.scope import PLACEHOLDER, checked_template, filled

_ONE_ROLE = "a secret ID is of one role: roleId holds {scope} only where no role binds a secret ID"
_NOTHING_WRAPPED = "secretIdWrapped needs the wrapping token in secretIdSource"
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/]")


def _checked_username(username: str) -> str:
    """It becomes a segment of a path."""
    if username in ("", ".", "..") or _NOT_IN_NAMES.search(username):
        raise ValueError(
            "a user name is neither empty nor . nor .. and holds no slash and no control character"
        )
    return username


def _checked_endpoint(endpoint: str) -> str:
    address = urlsplit(endpoint)
    if address.scheme not in ("http", "https") or not address.hostname or not endpoint.isascii():
        raise ValueError("an endpoint is written like https://sts.eu-west-1.amazonaws.com")
    if "@" in address.netloc or "?" in endpoint or "#" in endpoint or address.path.strip("/"):
        raise ValueError("an endpoint holds neither user, path, query nor fragment")
    return f"{address.scheme}://{address.netloc}"


MountPath = Annotated[str, AfterValidator(checked_path)]
Role = Annotated[str, Field(min_length=1), AfterValidator(checked_template)]
"""`{scope}` in it stands for the first segment of the scoped name."""
Username = Annotated[str, AfterValidator(_checked_username)]
Header = Annotated[str, Field(pattern=r"^[\x21-\x7e]+$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$")]


class KubernetesAuth(Manifest):
    """Login with a ServiceAccount's token."""

    role: Role
    mount_path: MountPath = "kubernetes"
    service_account_token_source: CredentialReference | None = None
    """Left out: the token of the Pod that runs the sidecar."""


class AppRoleAuth(Manifest):
    """Login with a role ID and, where the role demands one, a secret ID."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.secretIdWrapped || (has(self.secretIdSource) && self.secretIdSource.source != 'None')",
            _NOTHING_WRAPPED,
        ),
        Rule(
            "!self.roleId.contains('{scope}') || !has(self.secretIdSource) "
            "|| self.secretIdSource.source == 'None'",
            _ONE_ROLE,
        ),
    )

    role_id: Role
    mount_path: MountPath = "approle"
    secret_id_source: CredentialReference | None = None
    secret_id_wrapped: bool = False
    """Whether `secretIdSource` holds a wrapping token with the secret ID in it."""

    @model_validator(mode="after")
    def _what_is_wrapped_is_there(self) -> Self:
        if self.secret_id_wrapped and (not self.secret_id_source or self.secret_id_source.source == "None"):
            raise ValueError(_NOTHING_WRAPPED)
        return self

    @model_validator(mode="after")
    def _a_secret_id_is_of_one_role(self) -> Self:
        given = self.secret_id_source is not None and self.secret_id_source.source != "None"
        if given and PLACEHOLDER in self.role_id:
            raise ValueError(_ONE_ROLE)
        return self


class JWTAuth(Manifest):
    """Login with a JWT whose issuer the server trusts."""

    role: Role
    mount_path: MountPath = "jwt"
    token_source: CredentialReference | None = None
    """Left out: the ServiceAccount token of the Pod that runs the sidecar."""


class PasswordAuth(Manifest):
    """Login with a user name and a password."""

    username: Username
    mount_path: MountPath
    password_source: CredentialReference


class UserPassAuth(PasswordAuth):
    """The server itself keeps the password."""

    mount_path: MountPath = "userpass"


class LDAPAuth(PasswordAuth):
    """A directory keeps the password."""

    mount_path: MountPath = "ldap"


class CertAuth(Manifest):
    """Login with the certificate of `clientCertificate`."""

    name: Role | None = None
    """The role at the server; left out: any whose constraints the certificate meets."""
    mount_path: MountPath = "cert"


class AWSKeys(Manifest):
    """Keys of an IAM user, or of a session."""

    access_key_id: CredentialReference = Field(alias="accessKeyID")
    secret_access_key: CredentialReference
    session_token: CredentialReference | None = None


class AWSAuth(Manifest):
    """Login with an identity of AWS: a signed request that only the server sends to STS."""

    role: Role | None = None
    """Left out: the role named as the identity is."""
    mount_path: MountPath = "aws"
    region: Region | None = None
    """Whose STS the request is for; left out: the global endpoint, in us-east-1."""
    header_value: Header | None = None
    """Of X-Vault-AWS-IAM-Server-ID, where the server demands it."""
    sts_endpoint: Annotated[str, AfterValidator(_checked_endpoint)] | None = None
    """Another endpoint of STS."""
    static: AWSKeys | None = None
    """Left out: what AWS's own chain finds (environment, files, container, machine)."""


class Auth(Manifest):
    """How to log in: the method and its block."""

    choice: ClassVar[Choice] = Choice(
        "method",
        {
            "Token": "token",
            "Kubernetes": "kubernetes",
            "AppRole": "app_role",
            "JWT": "jwt",
            "UserPass": "user_pass",
            "LDAP": "ldap",
            "Cert": "cert",
            "AWS": "aws",
        },
    )

    method: Literal["Token", "Kubernetes", "AppRole", "JWT", "UserPass", "LDAP", "Cert", "AWS"]
    token: CredentialReference | None = None
    kubernetes: KubernetesAuth | None = None
    app_role: AppRoleAuth | None = None
    jwt: JWTAuth | None = None
    user_pass: UserPassAuth | None = None
    ldap: LDAPAuth | None = None
    cert: CertAuth | None = None
    aws: AWSAuth | None = None

    role_fields: ClassVar[Mapping[str, str]] = {
        "Kubernetes": "role",
        "AppRole": "role_id",
        "JWT": "role",
        "Cert": "name",
        "AWS": "role",
    }
    """Where each method says as which role it logs in."""

    @property
    def role(self) -> str:
        """As the config writes it; `""` where the method or the config has none."""
        return str(getattr(self.block, self.role_fields.get(self.method, ""), None) or "")

    def of_scope(self, scope: str) -> Self:
        """The login of one scope."""
        if self.block is None or not self.role:
            return self
        block = self.block.model_copy(update={self.role_fields[self.method]: filled(self.role, scope)})
        return self.model_copy(update={self.choice.blocks[self.method]: block})

    @property
    def block(self) -> Manifest | None:
        """What the config says about its method."""
        found: Manifest | None = getattr(self, self.choice.blocks[self.method])
        return found
