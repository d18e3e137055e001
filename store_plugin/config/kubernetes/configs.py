"""The objects of one kind of store config, as the table of configs takes them.

Read by the same code as manifests in files, so that both mean the same. A batch that is not
small is read in a thread: calls are served meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from store_plugin.cluster_api import Json
from store_plugin.config.declarations import DeclaredConfig, FileReading, Problem, broken_file
from store_plugin.config.kinds import Kinds, plural_in
from store_plugin.config.manifests.documents import Value
from store_plugin.config.manifests.reader import read_object
from store_plugin.model import ConfigReference
from store_plugin.watching.requests import Collection, Event

_FEW = 4
"""So many objects are read on the event loop: each takes about 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is new: configs as they are declared now, and those that are gone."""

    declared: tuple[DeclaredConfig, ...] = ()
    gone: tuple[ConfigReference, ...] = ()
    problems: tuple[Problem, ...] = ()
    """All there are with objects of the kind, those that did not change included."""


class Sink(Protocol):
    """Who takes in what a kind declares."""

    async def take(self, kind: "KindTarget", taken: Taken) -> None: ...


@dataclass(frozen=True, slots=True)
class _Seen:
    uid: str
    generation: int


class KindTarget:
    """Follows the objects of one kind: a `store_plugin.watching.watch.Target`."""

    def __init__(self, api_version: str, kind: str, kinds: Kinds, sink: Sink) -> None:
        self.api_version = api_version
        self.kind = kind
        self._kinds = kinds
        self._sink = sink
        self._seen: dict[str, _Seen] = {}
        self._problems: dict[str, tuple[Problem, ...]] = {}

    @property
    def collection(self) -> Collection:
        """Where the objects are."""
        group, _, version = self.api_version.partition("/")
        plural = plural_in(self._kinds, self.api_version, self.kind)
        names = {"group": group, "version": version, "plural": plural}
        advice = f"no CRD serves {self.api_version}; apply it: store-plugin crds {self.kind} --apply"
        return Collection(f"{self.kind}s", "/apis/{group}/{version}/{plural}", names, advice=advice)

    def reference(self, name: str) -> ConfigReference:
        return ConfigReference(self.api_version, self.kind, name)

    def generation(self, name: str) -> int:
        """The object's own generation as it was last seen; 0: it was not."""
        seen = self._seen.get(name)
        return 0 if seen is None else seen.generation

    async def listed(self, pages: AsyncIterator[list[Json]]) -> None:
        """Take in each page as it comes; what is on none of them is gone."""
        there: set[str] = set()
        async for page in pages:
            there.update(map(name_of, page))
            await self._take(page, ())
        await self._take((), self._seen.keys() - there)

    async def changed(self, events: list[Event]) -> None:
        """The last word on each object counts; one that only has another status says nothing."""
        last = {name_of(event.object): event for event in events}
        objects = [event.object for name, event in last.items() if not event.gone]
        news = [found for found in objects if self._seen.get(name_of(found)) != _seen(found)]
        await self._take(news, {name for name, event in last.items() if event.gone} & self._seen.keys())

    async def _take(self, objects: Iterable[Json], gone: Iterable[str]) -> None:
        objects, gone = list(objects), list(gone)
        if not objects and not gone:
            return
        if len(objects) > _FEW:
            readings = await asyncio.to_thread(self._read_all, objects)
        else:
            readings = self._read_all(objects)
        for name in gone:
            del self._seen[name]
            self._problems.pop(name, None)
        for found, reading in zip(objects, readings, strict=True):
            self._keep(name_of(found), found, reading)
        declared = tuple(config for reading in readings for config in reading.configs)
        problems = tuple(problem for found in self._problems.values() for problem in found)
        await self._sink.take(self, Taken(declared, tuple(map(self.reference, gone)), problems))

    def _keep(self, name: str, found: Json, reading: FileReading) -> None:
        self._seen[name] = _seen(found)
        if reading.problems:
            self._problems[name] = reading.problems
        else:
            self._problems.pop(name, None)

    def _read_all(self, objects: list[Json]) -> list[FileReading]:
        return [self._read(found) for found in objects]

    def _read(self, found: Json) -> FileReading:
        """An object that cannot even be identified still counts as there, and as broken."""
        reference = self.reference(name_of(found))
        place = f"{self.kind}/{reference.name}"
        try:
            reading = read_object(place, _as_manifest(found), self._kinds)
        except Exception as error:  # a model may fail in any way; other objects must not
            message = f"the object cannot be read ({type(error).__name__})"
            reading = broken_file(Problem(place, 0, message))
        if reading.configs:
            return reading
        error_text = "; ".join(str(problem) for problem in reading.problems)
        config = DeclaredConfig(file=place, line=0, reference=reference, spec=None, error=error_text)
        return replace(reading, configs=(config,))


def _as_manifest(found: Json) -> dict[str, Value]:
    """What a file would say: nothing of the API server's own."""
    said = {key: found.get(key) for key in ("apiVersion", "kind", "spec")}
    return {**said, "metadata": {"name": name_of(found)}}


def name_of(found: Json) -> str:
    """The name of an object."""
    return str(_metadata(found).get("name", ""))


def _seen(found: Json) -> _Seen:
    metadata = _metadata(found)
    return _Seen(str(metadata.get("uid", "")), int(metadata.get("generation") or 0))


def _metadata(found: Json) -> Json:
    return found.get("metadata") or {}
