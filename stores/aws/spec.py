"""What an AWSConfig may say. Abbreviations are spelled in capitals, as AWS spells them."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from store_plugin.spec import UNSTORED_DEFAULT, Choice, CredentialReference, Manifest, Rule, StoreSpec
from stores.aws import tags as aws_tags

_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+=-]*[A-Za-z0-9])?\Z")
_PARAMETER_SEGMENT = re.compile(r"[A-Za-z0-9_.-]+\Z")
_MOST_PREFIX_SEGMENTS = 7
"""A parameter's name has 15 levels at most; a scoped name takes up to 8."""


def _checked_endpoint(endpoint: str) -> str:
    address = urlsplit(endpoint)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(
            "an endpoint is written like https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com"
        )
    if address.username or address.password or address.query or address.fragment:
        raise ValueError("an endpoint holds neither user, query nor fragment")
    return endpoint.rstrip("/")


def _checked_prefix(prefix: str) -> str:
    """`prefix` without the slashes around it."""
    trimmed = prefix.strip("/")
    if trimmed and not all(map(_SEGMENT.match, trimmed.split("/"))):
        raise ValueError(
            "a prefix is made like a scoped name: segments of letters, digits and ._@+=- joined by /"
        )
    return trimmed


def _checked_tags(found: dict[str, str]) -> dict[str, str]:
    for key, value in found.items():
        if wrong := aws_tags.problem(key, value):
            raise ValueError(f"the tag {key!r} {wrong}")
    return found


Endpoint = Annotated[str, AfterValidator(_checked_endpoint)]
Prefix = Annotated[str, AfterValidator(_checked_prefix)]
Region = Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$", max_length=32)]
RoleARN = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S+$", max_length=2048)]
SessionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@-]{2,64}$")]
ExternalID = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@:/-]+$", min_length=2, max_length=1224)]
Tags = Annotated[dict[str, str], AfterValidator(_checked_tags)]


class StaticAuth(Manifest):
    """Keys of an IAM user, or of a session."""

    access_key_id: CredentialReference = Field(alias="accessKeyID")
    secret_access_key: CredentialReference
    session_token: CredentialReference | None = None


class WebIdentityAuth(Manifest):
    """A role taken with a token that an OIDC provider of the account has issued (IRSA)."""

    role_arn: RoleARN = Field(alias="roleARN")
    session_name: SessionName = "store-plugin"
    token_source: CredentialReference | None = None
    """Left out: the token that EKS projects into the Pod that runs the sidecar."""


class Role(Manifest):
    """A role to take with the credentials before it."""

    arn: RoleARN = Field(alias="roleARN")
    session_name: SessionName = "store-plugin"
    external_id: ExternalID | None = Field(default=None, alias="externalID")
    session_tags: Tags = Field(default_factory=dict, max_length=aws_tags.MOST_TAGS)
    transitive_tag_keys: tuple[str, ...] = ()
    """Session tags that the roles after this one get too."""


class Auth(Manifest):
    """Where the credentials come from, and the roles to take with them, one after another."""

    choice: ClassVar[Choice] = Choice(
        "method", {"Static": "static", "WebIdentity": "web_identity"}, exclusive=True
    )

    method: Literal["Default", "Static", "WebIdentity"] = "Default"
    static: StaticAuth | None = None
    web_identity: WebIdentityAuth | None = None
    roles: tuple[Role, ...] = Field(default=(), max_length=5)
    sts_endpoint: Endpoint | None = None


class ReplicaRegion(Manifest):
    """A region that gets copies of the secrets."""

    region: Region
    kms_key_id: str | None = Field(default=None, alias="kmsKeyID", min_length=1)


class SecretsManagerOptions(Manifest):
    """Used where a secret is created or removed."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.forceDelete || !has(self.recoveryWindowDays)",
            "forceDelete leaves nothing to recover: leave recoveryWindowDays out",
        ),
    )

    kms_key_id: str | None = Field(default=None, alias="kmsKeyID", min_length=1)
    recovery_window_days: int = Field(default=7, ge=7, le=30, json_schema_extra=UNSTORED_DEFAULT)
    force_delete: bool = False
    replica_regions: tuple[ReplicaRegion, ...] = Field(default=(), max_length=50)
    tags: Tags = Field(default_factory=dict, max_length=20)

    @model_validator(mode="after")
    def _removal_is_one_or_the_other(self) -> Self:
        if self.force_delete and "recovery_window_days" in self.model_fields_set:
            raise ValueError("forceDelete leaves nothing to recover: leave recoveryWindowDays out")
        return self


class ParameterStoreOptions(Manifest):
    """Used where a parameter is written."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("!has(self.kmsKeyID) || self.type == 'SecureString'", "kmsKeyID is for type SecureString"),
    )

    type: Literal["SecureString", "String"] = "SecureString"
    tier: Literal["Standard", "Advanced", "Intelligent-Tiering"] = "Standard"
    kms_key_id: str | None = Field(default=None, alias="kmsKeyID", pattern=r"^[a-zA-Z0-9:/_-]{1,256}$")
    tags: Tags = Field(default_factory=dict, max_length=20)

    @model_validator(mode="after")
    def _only_secure_strings_have_a_key(self) -> Self:
        if self.kms_key_id and self.type != "SecureString":
            raise ValueError("kmsKeyID is for type SecureString")
        return self


class AWSSpec(StoreSpec):
    """Secrets Manager or Parameter Store in one region."""

    columns: ClassVar[Mapping[str, str]] = {"Service": "service", "Region": "region"}
    choice: ClassVar[Choice] = Choice(
        "service",
        {"SecretsManager": "secrets_manager", "ParameterStore": "parameter_store"},
        required=False,
        exclusive=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.endpoint) || (!self.useFIPS && !self.useDualStack)",
            "an endpoint of its own is neither useFIPS nor useDualStack",
        ),
        Rule(
            "!has(self.secretsManager) || !has(self.secretsManager.replicaRegions) || "
            "self.secretsManager.replicaRegions.all(r, r.region != self.region)",
            "replicaRegions names the region itself",
        ),
    )

    region: Region
    service: Literal["SecretsManager", "ParameterStore"] = "SecretsManager"
    endpoint: Endpoint | None = None
    """Left out: that of AWS in the region."""
    use_fips: bool = Field(default=False, alias="useFIPS")
    use_dual_stack: bool = False
    prefix: Prefix = ""
    """Stands before every scoped name, joined with `/`."""
    auth: Auth = Auth()
    secrets_manager: SecretsManagerOptions = SecretsManagerOptions()
    parameter_store: ParameterStoreOptions = ParameterStoreOptions()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.endpoint and (self.use_fips or self.use_dual_stack):
            raise ValueError("an endpoint of its own is neither useFIPS nor useDualStack")
        if any(replica.region == self.region for replica in self.secrets_manager.replica_regions):
            raise ValueError("replicaRegions names the region itself")
        if self.service == "ParameterStore" and self.prefix:
            self._check_parameter_prefix()
        return self

    def _check_parameter_prefix(self) -> None:
        segments = self.prefix.split("/")
        if len(segments) > _MOST_PREFIX_SEGMENTS:
            raise ValueError(f"a prefix of parameters has {_MOST_PREFIX_SEGMENTS} segments at most")
        if not all(map(_PARAMETER_SEGMENT.match, segments)) or self.prefix.lower().startswith(("aws", "ssm")):
            raise ValueError(
                "a prefix of parameters holds letters, digits and _.- and begins neither with aws nor ssm"
            )
