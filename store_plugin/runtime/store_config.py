"""The StoreConfig that operators refer to: where connection details are kept.

Each operator ships the kind in an API group of its own (`gcp.crossplane.io`), so the group
is never fixed here: the fields are what all of them share. They are those of Crossplane's
design document (`type: External`) and of what its releases 1.12 to 1.20 have in the field
(`type: Plugin`), which mean the same.
"""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint
from store_plugin.errors import ConfigInvalid, InvalidRequest
from store_plugin.model import ConfigReference, ScopedName
from store_plugin.spec import CredentialReference, Manifest, Rule

KIND = "StoreConfig"
PLURAL = "storeconfigs"
DEFAULT_API_VERSION = "secrets.crossplane.io/v1alpha1"
DEFAULT_NAME = "default"
"""The StoreConfig of an owner that names none."""
TYPES = ("Kubernetes", "External", "Plugin")
_NOT_A_STORE = f"names a {KIND}: name the config of a store, such as a VaultConfig"
_TOLD_TWICE = "external and plugin mean the same: give one of them"
_WORD = re.compile(r"[A-Za-z0-9.-]{1,253}\Z")


def _checked_endpoint(endpoint: str) -> str:
    try:
        Endpoint.parse(endpoint)
    except InvalidRequest as error:
        raise ValueError(error.message) from None
    return endpoint


def _checked_scope(scope: str) -> str:
    try:
        ScopedName.parse(scope)
    except InvalidRequest as error:
        raise ValueError(f"is no scope: {error.message}") from None
    return scope


class StoreReference(Manifest):
    """The config of a store, as the sidecar knows it: a VaultConfig, an AWSConfig."""

    api_version: str = Field(min_length=1)
    kind: str = Field(min_length=1)
    name: str = Field(min_length=1)

    rules: ClassVar[tuple[Rule, ...]] = (Rule("self.kind != 'StoreConfig'", _NOT_A_STORE),)

    @model_validator(mode="after")
    def _is_the_config_of_a_store(self) -> Self:
        if self.kind == KIND:
            raise ValueError(_NOT_A_STORE)
        return self

    @property
    def reference(self) -> ConfigReference:
        return ConfigReference(self.api_version, self.kind, self.name)


class ExternalStore(Manifest):
    """A store behind a sidecar."""

    endpoint: Annotated[str, AfterValidator(_checked_endpoint)] = DEFAULT_ENDPOINT
    """Where the sidecar listens, in any spelling of docs/wire.md."""
    config_ref: StoreReference


class KubernetesStore(Manifest):
    """Secrets of a Kubernetes API server."""

    auth: CredentialReference
    """Where a kubeconfig for another cluster comes from; source None: the operator's own."""


class StoreConfigSpec(Manifest):
    """The spec of a StoreConfig."""

    columns: ClassVar[Mapping[str, str]] = {"Type": "type", "Default-Scope": "defaultScope"}
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("!has(self.external) || !has(self.plugin)", _TOLD_TWICE),
        Rule(
            "self.type == 'Kubernetes' || has(self.external) || has(self.plugin)",
            "a type other than Kubernetes needs the block external",
        ),
    )

    type: Literal["Kubernetes", "External", "Plugin"] = "Kubernetes"
    """Plugin is another name for External."""
    default_scope: Annotated[str, AfterValidator(_checked_scope)]
    """Scope of the secrets of owners without a namespace; a namespace where the type is
    Kubernetes."""
    kubernetes: KubernetesStore | None = None
    external: ExternalStore | None = None
    plugin: ExternalStore | None = None
    """Another name for `external`."""

    @model_validator(mode="after")
    def _an_external_store_is_told_once(self) -> Self:
        if self.external is not None and self.plugin is not None:
            raise ValueError(_TOLD_TWICE)
        if self.type != "Kubernetes" and self.outside is None:
            raise ValueError(f"type {self.type} needs the block {self.type.lower()}")
        return self

    @property
    def outside(self) -> ExternalStore | None:
        """The store behind a sidecar, whichever of its names it was given under."""
        return self.external or self.plugin


class StoreConfig(Manifest):
    """A StoreConfig by its name."""

    name: str
    spec: StoreConfigSpec

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, object]) -> Self:
        """The StoreConfig that an object holds, in whatever API group it is.

        ConfigInvalid says which field is wrong; it shows nothing of what stands in it.
        """
        name = _text(_block(manifest, "metadata").get("name"))
        if not name:
            raise ConfigInvalid(f"a {KIND} without metadata.name")
        spec = _block(manifest, "spec")
        kind = spec.get("type", TYPES[0])
        if kind not in TYPES:
            raise ConfigInvalid(f'{KIND} {name}: unknown secret store type: "{_text(kind)}"')
        try:
            return cls(name=name, spec=StoreConfigSpec.model_validate(spec))
        except ValidationError as error:
            raise ConfigInvalid(f"{KIND} {name}: {_explained(error)}") from None


def _block(manifest: Mapping[str, object], name: str) -> Mapping[str, object]:
    block = manifest.get(name)
    return block if isinstance(block, Mapping) else {}


def _text(value: object) -> str:
    """A name or word to show; whatever else stands there is not shown."""
    return value if isinstance(value, str) and _WORD.match(value) else ""


def _explained(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, ('spec', *each['loc'])))}: {each['msg']}" for each in told)
