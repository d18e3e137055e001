"""Whose connection details: any Kubernetes object, in whatever form an operator holds it.

A dictionary, kopf's body, a model of the kubernetes client: only `metadata` and
`spec.publishConnectionDetailsTo` are looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from store_plugin.errors import InvalidRequest
from store_plugin.model import OWNER_LABEL, ScopedName
from store_plugin.runtime.store_config import DEFAULT_NAME

FIELD = "publishConnectionDetailsTo"
TYPE_ENTRY = "secret.crossplane.io/type"
"""Metadata entry with the type that the owner asks for, outside of Kubernetes."""


class _Block(BaseModel):
    """A block in somebody else's resource: what we don't know in it is not ours to judge."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class SecretMetadata(_Block):
    """What the secret carries besides its data."""

    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    type: str | None = None
    """Type of the Secret, where it is kept in Kubernetes."""

    @field_validator("labels", "annotations", mode="before")
    @classmethod
    def _none_is_empty(cls, entries: object) -> object:
        return {} if entries is None else entries


class StoreConfigReference(_Block):
    """The StoreConfig to publish with."""

    name: str = Field(default=DEFAULT_NAME, min_length=1)


class PublishTo(_Block):
    """`spec.publishConnectionDetailsTo` of an owner: under which name, with which
    StoreConfig. Without a `configRef` it is the StoreConfig `default`."""

    name: str = Field(min_length=1)
    metadata: SecretMetadata = SecretMetadata()
    config_ref: StoreConfigReference = StoreConfigReference()

    @field_validator("metadata", "config_ref", mode="before")
    @classmethod
    def _none_is_the_default(cls, block: object) -> object:
        return {} if block is None else block


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that a connection secret belongs to."""

    uid: str
    namespace: str | None
    publish_to: PublishTo | None
    """None: it does not publish its connection details."""

    @classmethod
    def of(cls, owner: object, publish_to: PublishTo | None = None) -> Self:
        """The owner that an object is. `publish_to` stands in for the block in its spec,
        for objects that have none.

        InvalidRequest where the object publishes and has no UID, or its block is wrong.
        """
        if isinstance(owner, cls):
            return owner
        metadata = _part(owner, "metadata")
        block = _part(owner, "spec").get(FIELD)
        publish_to = publish_to or (None if block is None else _read(block))
        uid = metadata.get("uid")
        if publish_to and not uid:
            raise InvalidRequest("the owner has no metadata.uid: publish once the API server holds it")
        return cls(str(uid or ""), metadata.get("namespace") or None, publish_to)

    def secret_name(self, publish_to: PublishTo, default_scope: str) -> ScopedName:
        """Scope and name of its secret. InvalidRequest where a part of it is no name;
        nothing in it is ever resolved, as `..` would be in a path."""
        return ScopedName.parse(f"{self.namespace or default_scope}/{publish_to.name}")


def metadata_of(publish_to: PublishTo) -> Mapping[str, str]:
    """Labels, annotations and type as one map, which is all the metadata that a store
    outside of Kubernetes has. InvalidRequest where a label and an annotation disagree."""
    metadata = publish_to.metadata
    for key in (metadata.labels.keys() & metadata.annotations.keys()) - {OWNER_LABEL}:
        if metadata.labels[key] != metadata.annotations[key]:
            raise InvalidRequest(f"the label and the annotation {key} of the secret differ: keep one of them")
    kind = {TYPE_ENTRY: metadata.type} if metadata.type else {}
    together = {**metadata.annotations, **kind, **metadata.labels}
    return {key: value for key, value in together.items() if key != OWNER_LABEL}


def _read(block: object) -> PublishTo:
    try:
        return PublishTo.model_validate(_plain(block))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, ("spec", FIELD, *first["loc"])))
        raise InvalidRequest(f"{place} of the owner: {first['msg']}") from None


def _part(owner: object, name: str) -> Mapping[str, Any]:
    part = owner.get(name) if isinstance(owner, Mapping) else getattr(owner, name, None)
    plain = _plain(part)
    return plain if isinstance(plain, Mapping) else {}


def _plain(value: object) -> object:
    """`value` with the names that the API uses: models of the kubernetes client have
    Python's, whichever release they are of."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True)
    if names := getattr(value, "attribute_map", None):
        return {alias: _plain(getattr(value, name)) for name, alias in names.items()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if callable(to_dict := getattr(value, "to_dict", None)):
        return to_dict()
    return value
