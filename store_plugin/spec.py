"""The fields that every store config shares, and credential references.

A config's model derives from `StoreSpec`; its manifest spells fields in camelCase, and an
unknown field is an error, so that a misspelt one never goes unnoticed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+\Z")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_BURST_NEEDS_A_RATE = "burst needs requestsPerSecond"
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(value: object) -> object:
    """Seconds from Go's spelling of durations (`250ms`, `30s`, `1m30s`); numbers stay."""
    if isinstance(value, str):
        if not _DURATION.match(value):
            raise ValueError("a duration is written like 250ms, 30s, 5m or 1h30m")
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(value))
    return value


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(json_schema_extra={"format": "duration"})]
"""A duration: in a manifest like `30s`, here in seconds."""

UNSTORED_DEFAULT: dict[str, JsonValue] = {"x-unstored-default": True}
"""As `json_schema_extra`: the API server does not write the default into objects, since it
matters whether a manifest has the field."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A field whose value says which block counts. The model and its CRD both check it."""

    field: str
    blocks: Mapping[str, str]
    """The name of the block by the field's value; values without one have none."""
    required: bool = True
    """Whether the block of the chosen value must be given."""
    exclusive: bool = False
    """Whether a block of another value is an error, instead of left unused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the API server checks of a block besides its fields: in CEL, `self` is the block.

    The model has a validator that says the same; a test compares the two.
    """

    cel: str
    message: str


class Manifest(BaseModel):
    """Base of all models read from manifests: camelCase, frozen, no unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    choice: ClassVar[Choice | None] = None
    """The choice between blocks of this one, where there is one."""
    rules: ClassVar[tuple[Rule, ...]] = ()
    """What else the API server checks of it."""
    columns: ClassVar[Mapping[str, str]] = {}
    """Of a spec: what `kubectl get` shows of it, as head by the path of a field."""

    @classmethod
    def spelled(cls, name: str) -> str:
        """A field's name as manifests spell it."""
        return cls.model_fields[name].alias or name

    @model_validator(mode="after")
    def _choice_has_its_block(self) -> Self:
        if self.choice is None:
            return self
        chosen = getattr(self, self.choice.field)
        said = f"{self.spelled(self.choice.field)} {chosen}"
        for value, name in self.choice.blocks.items():
            given = name in self.model_fields_set and getattr(self, name) is not None
            if value == chosen and self.choice.required and not given:
                raise ValueError(f"{said} needs the block {self.spelled(name)}")
            if value != chosen and self.choice.exclusive and given:
                raise ValueError(f"{said} does not go with the block {self.spelled(name)}")
        return self


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

    choice: ClassVar[Choice] = Choice(
        "source", {"Secret": "secret_ref", "Environment": "env", "Filesystem": "fs"}
    )

    source: Literal["None", "Secret", "Environment", "Filesystem"]
    secret_ref: SecretKeyReference | None = None
    env: EnvironmentReference | None = None
    fs: FilesystemReference | None = None


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


class CallLimits(Manifest):
    """How much of a store one config uses. Calls are those of the Store protocol: a get is
    one, an apply that changes something two."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("!has(self.burst) || has(self.requestsPerSecond)", _BURST_NEEDS_A_RATE),
    )

    max_concurrent: int = Field(default=32, ge=1, le=1000)
    """Calls under way at a time."""
    requests_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Calls begun per second on average; left out: no limit."""
    burst: int | None = Field(default=None, ge=1)
    """Calls begun at once after a rest; left out: those of one second."""

    @model_validator(mode="after")
    def _burst_has_a_rate(self) -> Self:
        if self.burst is not None and self.requests_per_second is None:
            raise ValueError(_BURST_NEEDS_A_RATE)
        return self


class StoreSpec(Manifest):
    """What every kind of store config has."""

    access: tuple[AccessRule, ...] = ()
    update_policy: Literal["Overwrite", "IfNotExists"] = "Overwrite"
    ownership: Ownership = Ownership()
    limits: CallLimits = CallLimits()
    timeout: Seconds = Field(default=30.0, gt=0, allow_inf_nan=False)
    """Longest that a request may take where its caller sets no deadline, in seconds."""
    drift_check_interval: Seconds = Field(default=0.0, ge=0, allow_inf_nan=False)
    """For how long an apply is answered from what the same apply found before, in seconds;
    0: never."""


def credential_references(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, CredentialReference]]:
    """All credential references of a spec with their path as the manifest spells it;
    inside a list the position is part of the path (`key.0`). In fields that a plugin's kind
    has, which no model describes, what looks like a reference is one."""
    for name, field in type(model).model_fields.items():
        yield from _references_in(getattr(model, name), f"{prefix}{field.alias or name}")
    for name, value in (model.model_extra or {}).items():
        yield from _references_in(value, f"{prefix}{name}")


def _references_in(value: object, path: str) -> Iterator[tuple[str, CredentialReference]]:
    reference = _reference_of(value)
    if reference is not None:
        yield path, reference
    elif isinstance(value, BaseModel):
        yield from credential_references(value, f"{path}.")
    elif isinstance(value, tuple | list):
        for position, item in enumerate(value):
            yield from _references_in(item, f"{path}.{position}")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _references_in(item, f"{path}.{name}")


def _reference_of(value: object) -> CredentialReference | None:
    if isinstance(value, CredentialReference):
        return value
    if not isinstance(value, Mapping) or "source" not in value:
        return None
    try:
        return CredentialReference.model_validate(value)
    except ValidationError:
        return None
