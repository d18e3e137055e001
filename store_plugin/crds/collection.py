"""Which CRDs there are: one for every kind that an installed store serves, and StoreConfig."""

from collections.abc import Sequence

import yaml

from store_plugin.crds.definition import Definition
from store_plugin.runtime import store_config
from store_plugin.store import ServedKind, served_kinds


def definitions() -> list[Definition]:
    """All of them, by kind. Imports every installed store; KindNotServed where a library
    of one is missing."""
    served = sorted(served_kinds().values(), key=lambda kind: (kind.kind, kind.api_version))
    return [*map(_served, served), store_config_definition()]


def store_config_definition(api_version: str = store_config.DEFAULT_API_VERSION) -> Definition:
    """StoreConfig in the API group of Crossplane, or of one of its providers."""
    return Definition(api_version, store_config.KIND, store_config.StoreConfigSpec, shared=True)


def as_yaml(found: Sequence[Definition]) -> str:
    """The manifests as one stream of documents."""
    documents = [definition.manifest() for definition in found]
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=100, explicit_start=True)


class _Dumper(yaml.SafeDumper):
    """Writes every block in full: `kubectl` takes aliases, people do not."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _served(kind: ServedKind) -> Definition:
    return Definition(kind.api_version, kind.kind, kind.load().spec_model)
