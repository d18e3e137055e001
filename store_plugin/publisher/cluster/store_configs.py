"""The StoreConfigs of the cluster, whose Secrets may use them, and what changed of them."""

import re
from collections.abc import AsyncIterator, Callable, Hashable

from store_plugin.cluster_api import Json
from store_plugin.endpoints import Endpoint
from store_plugin.errors import ConfigInvalid, ConfigNotFound, StoreUnavailable
from store_plugin.publisher.conditions import Place, Reason, Refused, Target
from store_plugin.publisher.wishes.annotations import ALLOWED_NAMESPACES
from store_plugin.runtime.sources.asked import collection
from store_plugin.runtime.store_config import KIND, StoreConfig
from store_plugin.watching.requests import Collection, Event


def store_configs_of(api_version: str) -> Collection:
    """What is listed and watched."""
    advice = (
        f"apply its CustomResourceDefinition: store-plugin crds {KIND} --store-configs {api_version} --apply"
    )
    return collection(api_version, advice)


class StoreConfigs:
    """The target of their watch, and the manager's source. `changed` gets the name of each that
    came, changed or went."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._manifests: dict[str, Json] = {}
        self._stores: dict[str, Hashable] = {}
        """Where they lead to; those that were asked for."""
        self._known = False

    def get(self, name: str) -> StoreConfig:
        """ConfigNotFound, ConfigInvalid; StoreUnavailable before the first listing."""
        if not self._known:
            raise StoreUnavailable(f"the {KIND}s of the cluster are not known yet")
        if name not in self._manifests:
            raise ConfigNotFound(f"there is no {KIND} {name!r}")
        return StoreConfig.from_manifest(self._manifests[name])

    def usable(self, name: str, namespace: str) -> StoreConfig:
        """The same for Secrets of a namespace. Refused says what to do."""
        # First: who may not use it learns nothing of what is in it.
        if name in self._manifests and not self._allows(name, namespace):
            told = f"{KIND} {name} is not for this namespace; name another, or have {namespace} added to its"
            raise Refused(Reason.STORE_CONFIG_NOT_ALLOWED, f"{told} annotation {ALLOWED_NAMESPACES}")
        try:
            config = self.get(name)
        except ConfigNotFound as error:
            told = f"{error.message}; create it, or name another. What was published stays"
            raise Refused(Reason.STORE_CONFIG_MISSING, told) from None
        except ConfigInvalid as error:
            raise Refused(Reason.STORE_CONFIG_INVALID, f"{error.message}; mend it") from None
        except StoreUnavailable as error:
            told = f"{error.message}: the publisher's /readyz is 503 until they are, and its log says why"
            raise Refused(Reason.NOT_REACHABLE, told) from None
        if config.spec.outside is None or config.spec.type == "Kubernetes":
            told = f"{KIND} {name} is of type Kubernetes: a Secret is not published to Secrets; use External"
            raise Refused(Reason.STORE_CONFIG_INVALID, told)
        return config

    def place(self, target: Target) -> Place:
        """Where it is. A StoreConfig that leads nowhere is a place of its own."""
        name = target.store_config
        if name not in self._manifests:
            return Place(name, target.name)
        if name not in self._stores:
            self._stores[name] = self._store(name)
        return Place(self._stores[name], target.name)

    def _store(self, name: str) -> Hashable:
        try:
            outside = self.get(name).spec.outside
        except (ConfigInvalid, StoreUnavailable):
            outside = None
        if outside is None:
            return name
        return Endpoint.parse(outside.endpoint), outside.config_ref.reference

    async def listed(self, pages: AsyncIterator[list[Json]]) -> None:
        found = {_name(item): item async for page in pages for item in page}
        before, self._manifests, self._known = self._manifests, found, True
        self._stores.clear()
        for name in before.keys() | found.keys():
            if _meant(before.get(name)) != _meant(found.get(name)):
                self._changed(name)

    async def changed(self, events: list[Event]) -> None:
        for event in events:
            name = _name(event.object)
            before = self._manifests.pop(name, None)
            self._stores.pop(name, None)
            if not event.gone:
                self._manifests[name] = event.object
            if _meant(before) != _meant(self._manifests.get(name)):
                self._changed(name)

    def _allows(self, name: str, namespace: str) -> bool:
        annotations = (self._manifests[name].get("metadata") or {}).get("annotations") or {}
        patterns = annotations.get(ALLOWED_NAMESPACES)
        if patterns is None:
            return True
        return any(_matches(pattern.strip(), namespace) for pattern in str(patterns).split(","))


def _matches(pattern: str, namespace: str) -> bool:
    """`*` stands for any characters; an empty pattern for nothing."""
    expression = ".*".join(map(re.escape, re.split(r"\*+", pattern)))
    return re.fullmatch(expression, namespace) is not None


def _name(manifest: Json) -> str:
    return str((manifest.get("metadata") or {}).get("name", ""))


def _meant(manifest: Json | None) -> object:
    """What counts of it."""
    if manifest is None:
        return None
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    return manifest.get("spec"), annotations.get(ALLOWED_NAMESPACES)
