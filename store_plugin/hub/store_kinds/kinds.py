"""The kinds of store configs: those that are built in, and those that plugins brought along.

A kind once known stays known while the process lives, with or without its plugin: its configs
are then valid, and calls to them unavailable until the plugin is back.
"""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import TypeAlias

from store_plugin import backend
from store_plugin._proto import backend_pb2 as proto
from store_plugin.errors import Overloaded, PluginRefused
from store_plugin.hub.calling.channel import PluginChannel
from store_plugin.hub.peer import Peer, PluginKind
from store_plugin.hub.registry import Registry
from store_plugin.hub.store_kinds.backend import BackendCalls, BackendConfig, PluginStore
from store_plugin.hub.store_kinds.plugin_spec import PluginSpec, spec_model
from store_plugin.model import plural_of
from store_plugin.spec import credential_references
from store_plugin.store import Environment, ServedKind

MOST_KINDS = 256
MOST_SCHEMA_BYTES = 16 * 1024 * 1024
"""Of all plugins together: kinds stay while the process lives."""

KindName: TypeAlias = tuple[str, str]
"""(apiVersion, kind)."""


@dataclass(frozen=True, slots=True)
class PluginFactory:
    """Opens stores of one plugin's kind: the StoreFactory behind it."""

    kind: PluginKind
    plugin: str
    spec_model: type[PluginSpec]
    registry: Registry = field(repr=False)
    generations: "count[int]" = field(repr=False)

    async def open(self, spec: PluginSpec, environment: Environment) -> PluginStore:
        """Asks the plugin what the store can do. PluginDisconnected where it is away."""
        paths = [path for path, reference in credential_references(spec) if reference.source != "None"]
        credentials = environment.credentials
        generation = next(self.generations)

        def changed() -> None:
            nonlocal generation
            generation = next(self.generations)

        config = BackendConfig(
            api_version=self.kind.api_version,
            kind=self.kind.kind,
            name=environment.config.partition("/")[2],
            generation=lambda: generation,
            spec=spec.model_dump_json(by_alias=True, exclude_unset=True).encode(),
            credentials=lambda: {path: credentials.get(path) for path in paths},
        )
        channel = PluginChannel(self.registry, self.plugin, private=bool(paths))
        described = await BackendCalls(channel, config, spec.timeout).repeatable(
            "Describe", proto.DescribeRequest(), proto.DescribeResponse
        )
        return PluginStore(
            channel,
            config,
            backend.capabilities_from(described.capabilities),
            f"{self.plugin}|{described.location}",
            spec.timeout,
            credentials.subscribe(changed),
        )

    def load(self) -> "PluginFactory":
        """As of a built-in kind, whose store would be imported now."""
        return self


Kind: TypeAlias = ServedKind | PluginFactory


class Kinds(Mapping[KindName, Kind]):
    """By (apiVersion, kind). `groups`: patterns for the API groups that plugins may bring
    kinds of; none: no kinds at all."""

    def __init__(
        self, built_in: Mapping[KindName, ServedKind], registry: Registry, groups: Collection[str] = ()
    ) -> None:
        self._built_in = built_in
        self._registry = registry
        self._groups = groups
        self._plugins: dict[KindName, PluginFactory] = {}
        self._made: dict[PluginKind, type[PluginSpec]] = {}
        """Models of the kinds that were checked last: making one takes long where a schema is large."""
        self._generations = count(int(time.time() * 1000))
        """Grow also from one run of the process to the next."""

    def check(self, peer: Peer) -> None:
        """Raise PluginRefused, InvalidRequest where a plugin may not bring what it brings, Overloaded
        where there are too many kinds already."""
        for kind in peer.kinds:
            self._check_name(kind, peer.name)
        self._check_plurals(peer.kinds)
        self._check_room(peer.kinds)
        self._made = {kind: self._model(kind) for kind in peer.kinds}

    def take(self, peer: Peer) -> frozenset[KindName]:
        """Serve the kinds of a plugin that `check` let pass; returns those that are new or
        have another schema now."""
        changed = set()
        for kind in peer.kinds:
            name = (kind.api_version, kind.kind)
            held = self._plugins.get(name)
            if held is None or held.kind != kind:
                model = self._made.get(kind) or self._model(kind)
                factory = PluginFactory(kind, peer.name, model, self._registry, self._generations)
                # A new mapping each time: manifests are read in a thread, which goes through the old one.
                self._plugins = {**self._plugins, name: factory}
                changed.add(name)
        return frozenset(changed)

    def may_come(self, api_version: str, kind: str) -> bool:
        """Whether a plugin may bring this kind, and none has."""
        return (api_version, kind) not in self and self._may_be_brought(api_version)

    def plural(self, api_version: str, kind: str) -> str | None:
        """The plural that a plugin gave its kind; None for one that no plugin has brought."""
        found = self._plugins.get((api_version, kind))
        return None if found is None else found.kind.plural

    def of_plugins(self) -> Mapping[KindName, PluginFactory]:
        """Those that plugins brought along."""
        return dict(self._plugins)

    def __getitem__(self, name: KindName) -> Kind:
        return self._built_in.get(name) or self._plugins[name]

    def __iter__(self) -> Iterator[KindName]:
        yield from self._built_in
        yield from self._plugins

    def __len__(self) -> int:
        return len(self._built_in) + len(self._plugins)

    def _model(self, kind: PluginKind) -> type[PluginSpec]:
        """InvalidRequest where its schema is none."""
        held = self._plugins.get((kind.api_version, kind.kind))
        if held is not None and held.kind == kind:
            return held.spec_model
        return spec_model(kind.kind, kind.spec_schema)

    def _check_name(self, kind: PluginKind, plugin: str) -> None:
        name = (kind.api_version, kind.kind)
        if name in self._built_in:
            raise PluginRefused(f"the kind {kind.kind} ({kind.api_version}) is built in")
        if not self._may_be_brought(kind.api_version):
            raise PluginRefused(
                f"plugins may not bring kinds of the API group {_group(kind.api_version)} here"
            )
        held = self._plugins.get(name)
        if held is not None and held.plugin != plugin:
            raise PluginRefused(f"the kind {kind.kind} belongs to plugin {held.plugin}")
        if held is not None and held.kind.plural != kind.plural:
            raise PluginRefused(
                f"the kind {kind.kind} came with the plural {held.kind.plural}, which does not change while "
                "the hub runs"
            )

    def _check_plurals(self, brought: Collection[PluginKind]) -> None:
        """A plural is one kind's in its API group, whatever the version: a CRD is called by it."""
        kinds = {(_group(version), plural_of(kind)): kind for version, kind in self._built_in}
        kinds |= {
            (_group(version), factory.kind.plural): kind for (version, kind), factory in self._plugins.items()
        }
        for kind in brought:
            group = _group(kind.api_version)
            if (taken := kinds.setdefault((group, kind.plural), kind.kind)) != kind.kind:
                raise PluginRefused(
                    f"the kind {kind.kind} cannot have the plural {kind.plural}, which the kind {taken} "
                    f"of the API group {group} has"
                )

    def _check_room(self, brought: Collection[PluginKind]) -> None:
        """Whether all of them fit, in place of those that have their names."""
        kinds = {name: factory.kind for name, factory in self._plugins.items()}
        kinds |= {(kind.api_version, kind.kind): kind for kind in brought}
        if len(kinds) > MOST_KINDS:
            raise Overloaded(
                f"plugins have brought {len(self._plugins)} kinds, and {MOST_KINDS} is the limit: kinds that "
                "nobody needs any more go with a restart of the hub"
            )
        if sum(len(kind.spec_schema) for kind in kinds.values()) > MOST_SCHEMA_BYTES:
            raise Overloaded(
                f"the schemas of all kinds together are larger than {MOST_SCHEMA_BYTES} bytes, the limit"
            )

    def _may_be_brought(self, api_version: str) -> bool:
        return any(fnmatchcase(_group(api_version), pattern) for pattern in self._groups)


def _group(api_version: str) -> str:
    return api_version.partition("/")[0]
