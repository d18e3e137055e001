"""Kinds of the tests' own in a real cluster, and a source that follows them in this process."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from store_plugin.cluster import connected
from store_plugin.cluster_api import ClusterApi
from store_plugin.config.kubernetes.source import KubernetesSource
from store_plugin.config.table import ConfigTable, LoadedConfig
from store_plugin.crds.definition import Definition
from store_plugin.model import ConfigReference
from store_plugin.watching.pauses import Pauses
from tests.support.fakes import FakeKind, RecordingLog, ShelfSpec
from tests.support.kubernetes import MERGE, ApiError, Cluster

QUICK = Pauses(first=0.05, longest=0.5)
CANARY = "s.CAESIcanaryX7f3"


class Shelves:
    """The kinds ShelfConfig and OtherConfig in an API group of the test's own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.api_version = f"g{uuid4().hex[:8]}.example.org/v1alpha1"
        self.definitions = [
            Definition(self.api_version, kind, ShelfSpec) for kind in ("ShelfConfig", "OtherConfig")
        ]
        self.kinds = {(self.api_version, definition.kind): FakeKind() for definition in self.definitions}

    def path(self, name: str = "", kind: str = "ShelfConfig") -> str:
        return f"/apis/{self.api_version}/{kind.lower()}s/{name}".rstrip("/")

    def write(self, name: str, server: str = "https://one", kind: str = "ShelfConfig", **spec: Any) -> None:
        """Create the config, or change it."""
        self.cluster.apply(
            {
                "apiVersion": self.api_version,
                "kind": kind,
                "metadata": {"name": name},
                "spec": {"server": server, **spec},
            }
        )

    def write_many(self, number: int) -> None:
        """Create `c0`, `c1` and so on, then change them all, from several threads."""
        with ThreadPoolExecutor(8) as pool:
            for server in ("https://one", "https://two"):
                list(pool.map(lambda n, server=server: self.write(f"c{n}", server), range(number)))

    def delete(self, name: str, kind: str = "ShelfConfig") -> None:
        self.cluster.api("DELETE", self.path(name, kind))

    def touch(self, name: str, what: Mapping[str, Any], subresource: str = "") -> None:
        self.cluster.api("PATCH", f"{self.path(name)}{subresource}", what, content_type=MERGE)

    def define(self) -> None:
        for definition in self.definitions:
            self.cluster.define(definition.manifest())

    def remove(self) -> None:
        for definition in self.definitions:
            try:
                self.cluster.api(
                    "DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition.name}"
                )
            except ApiError as error:
                if error.status != 404:
                    raise


class Followed:
    """A source and what it keeps, with quick pauses."""

    def __init__(self, shelves: Shelves, source: KubernetesSource, table: ConfigTable, log: RecordingLog):
        self.shelves = shelves
        self.source = source
        self.table = table
        self.log = log

    def config(self, name: str, kind: str = "ShelfConfig") -> LoadedConfig | None:
        return self.table.get(ConfigReference(self.shelves.api_version, kind, name))

    def server(self, name: str, kind: str = "ShelfConfig") -> str | None:
        config = self.config(name, kind)
        return None if config is None else getattr(config.spec, "server", None)

    def generation(self, name: str) -> int | None:
        config = self.config(name)
        return None if config is None else config.generation

    @property
    def synced(self) -> bool:
        return self.source.state.synced

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(20):
            await self.source.load()
        task = asyncio.create_task(self.source.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled(), task.exception()


@asynccontextmanager
async def source_of(
    shelves: Shelves,
    kubeconfig: Mapping[str, Any],
    directory: Path,
    environ: Mapping[str, str] = {},
) -> AsyncIterator[Followed]:
    path = directory / f"kubeconfig-{uuid4().hex[:6]}"
    path.write_text(yaml.safe_dump(kubeconfig))
    table, log = ConfigTable(), RecordingLog()
    async with connected(path) as client:
        source = KubernetesSource(
            ClusterApi(client), shelves.kinds, table, log, environ, poll_interval=0.05, pauses=QUICK
        )
        yield Followed(shelves, source, table, log)


@pytest.fixture
def undefined(cluster: Cluster) -> Iterator[Shelves]:
    """The cluster has no such kinds yet."""
    shelves = Shelves(cluster)
    yield shelves
    shelves.remove()


@pytest.fixture
def shelves(undefined: Shelves) -> Shelves:
    undefined.define()
    return undefined


@pytest.fixture
async def followed(shelves: Shelves, tmp_path: Path) -> AsyncIterator[Followed]:
    async with source_of(shelves, shelves.cluster.kubeconfig(), tmp_path) as made:
        yield made


def write_secret(cluster: Cluster, namespace: str, name: str, **data: str) -> None:
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "data": encoded,
        }
    )


def from_secret(namespace: str, name: str, key: str = "token") -> dict[str, Any]:
    return {"source": "Secret", "secretRef": {"namespace": namespace, "name": name, "key": key}}
