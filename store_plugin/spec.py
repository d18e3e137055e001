"""The fields that every store config shares, and credential references.

A config's model derives from `StoreSpec`; its manifest spells fields in camelCase, and an
unknown field is an error, so that a misspelt one never goes unnoticed.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+\Z")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(value: object) -> object:
    """Seconds from Go's spelling of durations (`250ms`, `30s`, `1m30s`); numbers stay."""
    if isinstance(value, str):
        if not _DURATION.match(value):
            raise ValueError("a duration is written like 250ms, 30s, 5m or 1h30m")
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(value))
    return value


Seconds = Annotated[float, BeforeValidator(parse_duration)]
"""A duration: in a manifest like `30s`, here in seconds."""


class Manifest(BaseModel):
    """Base of all models read from manifests: camelCase, frozen, no unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class SecretKeyReference(Manifest):
    """A key of a Kubernetes Secret."""

    namespace: str
    name: str
    key: str


class EnvironmentReference(Manifest):
    """A variable in the sidecar's environment."""

    name: str


class FilesystemReference(Manifest):
    """A file that the sidecar can read."""

    path: str


class CredentialReference(Manifest):
    """Where a credential comes from. The value is read without one trailing newline."""

    source: Literal["None", "Secret", "Environment", "Filesystem"]
    secret_ref: SecretKeyReference | None = None
    env: EnvironmentReference | None = None
    fs: FilesystemReference | None = None

    @model_validator(mode="after")
    def _source_has_its_block(self) -> Self:
        needed = {"Secret": "secretRef", "Environment": "env", "Filesystem": "fs"}.get(self.source)
        given = {"secretRef": self.secret_ref, "env": self.env, "fs": self.fs}
        if needed and given[needed] is None:
            raise ValueError(f"source {self.source} needs the block {needed}")
        return self


class AccessRule(Manifest):
    """Callers that may use scopes. `*` stands for anything but `/`; a list left out means
    everyone, or every scope.

    A caller is a SAN of the client's certificate, or `local` for a caller on the sidecar's
    own socket.
    """

    callers: tuple[str, ...] | None = Field(default=None, min_length=1)
    scopes: tuple[str, ...] | None = Field(default=None, min_length=1)


class Ownership(Manifest):
    """What the owner label decides."""

    policy: Literal["Enforce", "Adopt", "Ignore"] = "Enforce"
    require_on_delete: bool = False


class StoreSpec(Manifest):
    """What every kind of store config has."""

    access: tuple[AccessRule, ...] = ()
    update_policy: Literal["Overwrite", "IfNotExists"] = "Overwrite"
    ownership: Ownership = Ownership()
    timeout: Seconds = Field(default=30.0, gt=0, allow_inf_nan=False)
    """Longest that a request may take where its caller sets no deadline, in seconds."""
    drift_check_interval: Seconds = Field(default=0.0, ge=0, allow_inf_nan=False)
    """For how long an apply is answered from what the same apply found before, in seconds;
    0: never."""


def credential_references(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, CredentialReference]]:
    """All credential references of a spec with their path as the manifest spells it;
    inside a list the position is part of the path (`key.0`)."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        path = f"{prefix}{field.alias or name}"
        if isinstance(value, CredentialReference):
            yield path, value
        elif isinstance(value, BaseModel):
            yield from credential_references(value, f"{path}.")
        elif isinstance(value, tuple):
            for position, item in enumerate(value):
                if isinstance(item, CredentialReference):
                    yield f"{path}.{position}", item
                elif isinstance(item, BaseModel):
                    yield from credential_references(item, f"{path}.{position}.")
