"""The CustomResourceDefinition of one kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from store_plugin import __version__
from store_plugin.crds.models import schema_of
from store_plugin.crds.structural import structural
from store_plugin.model import plural_of
from store_plugin.spec import Manifest

VERSION_ANNOTATION = "secrets.crossplane.io/store-plugin-version"
"""On our CRDs: the version whose models they were made of. A CRD without it is another's."""

_CONDITION: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "status", "reason", "lastTransitionTime"],
    "properties": {
        "type": {"type": "string", "description": "Ready or Synced."},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string", "description": "A word for programs."},
        "message": {"type": "string", "description": "A sentence for people."},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "observedGeneration": {"type": "integer", "format": "int64"},
    },
}
_STATUS: Mapping[str, Any] = {
    "type": "object",
    "description": "What the store is like, written by the standalone deployment.",
    "properties": {
        "conditions": {
            "type": "array",
            "items": _CONDITION,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        }
    },
}


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind of cluster-wide objects whose spec is `model`."""

    api_version: str
    kind: str
    model: type[Manifest]
    shared: bool = False
    """Whether others define this kind too: theirs is then left as it is."""
    spec_schema: Mapping[str, Any] | None = field(default=None, hash=False)
    """Of the spec, as OpenAPI; None: the model's."""
    given_plural: str = ""
    """Empty: the usual one."""

    @property
    def name(self) -> str:
        """The CRD's own name, as `vaultconfigs.secrets.crossplane.io`."""
        return f"{self.plural}.{self.group}"

    @property
    def plural(self) -> str:
        return self.given_plural or plural_of(self.kind)

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0]

    def manifest(self) -> dict[str, Any]:
        """The CRD, as it is applied. Raises Unconvertible for a model that has no schema."""
        names = {
            "kind": self.kind,
            "listKind": f"{self.kind}List",
            "plural": self.plural,
            "singular": self.kind.lower(),
            "categories": ["crossplane", "store"],
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name, "annotations": {VERSION_ANNOTATION: __version__}},
            "spec": {"group": self.group, "names": names, "scope": "Cluster", "versions": [self._version()]},
        }

    def _version(self) -> dict[str, Any]:
        return {
            "name": self.api_version.partition("/")[2],
            "served": True,
            "storage": True,
            "additionalPrinterColumns": self._printer_columns(),
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": self._schema()},
        }

    def _printer_columns(self) -> list[dict[str, str]]:
        paths = {
            "Age": ("date", ".metadata.creationTimestamp"),
            **{head: ("string", f".spec.{path}") for head, path in self.model.columns.items()},
            "Ready": ("string", ".status.conditions[?(@.type=='Ready')].status"),
        }
        return [{"name": head, "type": kind, "jsonPath": path} for head, (kind, path) in paths.items()]

    def _schema(self) -> dict[str, Any]:
        spec = structural(schema_of(self.model)) if self.spec_schema is None else self.spec_schema
        return {
            "type": "object",
            "description": spec.get("description", f"A {self.kind}.").partition("\n")[0],
            "required": ["spec"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": spec,
                "status": dict(_STATUS),
            },
        }
