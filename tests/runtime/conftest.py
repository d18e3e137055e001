"""Both managers behind one face, over the real sidecar and over a real API server."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from kubernetes.aio.client import ApiClient

from store_plugin.client import Client
from store_plugin.model import OWNER_LABEL
from store_plugin.runtime import (
    AsyncClientPool,
    AsyncDetailsManager,
    AsyncStoreConfigSource,
    ClientPool,
    DetailsManager,
    OwnCluster,
    StaticStoreConfigs,
    StoreConfig,
    StoreConfigSource,
)
from tests.support import manifests
from tests.support.awaited import Awaited
from tests.support.kubernetes import ApiError, Cluster
from tests.support.kubernetes_clients import aio_configuration, threaded_client
from tests.support.sidecar import SidecarProcess, running_sidecar

SCOPE = "crossplane-system"
"""`defaultScope` of all StoreConfigs here."""


@dataclass(frozen=True)
class Kept:
    """A secret as it stands in the store itself."""

    data: Mapping[str, bytes]
    metadata: Mapping[str, str]


@dataclass
class Place:
    """Somewhere to publish to. `look` and `put` go around the manager."""

    store_config: StoreConfig
    namespace: str
    look: Callable[[str], Kept]
    put: Callable[[str, Mapping[str, bytes], str | None], None]
    """Name, data, owner."""
    cluster: Cluster | None = None


def store_config(name: str = "default", **spec: Any) -> StoreConfig:
    manifest = {"metadata": {"name": name}, "spec": {"defaultScope": SCOPE, **spec}}
    return StoreConfig.from_manifest(manifest)


def external(endpoint: str, name: str = "default", config: str = "files") -> StoreConfig:
    reference = {"apiVersion": manifests.GROUP_VERSION, "kind": "LocalConfig", "name": config}
    return store_config(name, type="External", external={"endpoint": endpoint, "configRef": reference})


@dataclass
class Thing:
    """An owner to be, as a manifest. Each has a UID and a secret name of its own."""

    namespace: str | None
    name: str = field(default_factory=lambda: f"thing-{uuid4().hex[:8]}")
    uid: str = field(default_factory=lambda: str(uuid4()))

    def manifest(self, **publish_to: Any) -> dict[str, Any]:
        """With `publishConnectionDetailsTo` as told besides its name."""
        metadata = {"name": self.name, "uid": self.uid}
        if self.namespace:
            metadata["namespace"] = self.namespace
        spec = {"publishConnectionDetailsTo": {"name": self.name, **publish_to}}
        return {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarProcess]:
    data = tmp_path_factory.mktemp("runtime")
    configs = data / "configs"
    configs.mkdir()
    manifests.local(configs, "files", data)
    with running_sidecar(configs) as process:
        yield process


@pytest.fixture
def behind_sidecar(sidecar: SidecarProcess) -> Iterator[Place]:
    with Client(sidecar.endpoint) as client:

        def look(name: str) -> Kept:
            found = client.get("LocalConfig/files", name)
            return Kept(found.data, found.metadata)

        def put(name: str, data: Mapping[str, bytes], owner: str | None) -> None:
            client.apply("LocalConfig/files", name, data, owner=owner)

        yield Place(external(sidecar.endpoint), f"ns-{uuid4().hex[:8]}", look, put)


@pytest.fixture
def in_cluster(cluster: Cluster) -> Place:
    def look(name: str) -> Kept:
        return kept_secret(cluster, name)

    def put(name: str, data: Mapping[str, bytes], owner: str | None) -> None:
        put_secret(cluster, name, data, owner)

    return Place(store_config(type="Kubernetes"), cluster.namespace(), look, put, cluster)


@pytest.fixture(params=["sidecar", "cluster"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(
        {"sidecar": "behind_sidecar", "cluster": "in_cluster"}[request.param]
    )
    return found


MakeManager = Callable[..., Any]


@contextmanager
def threaded(
    source: StoreConfigSource, cluster: Cluster | None, pool: dict[str, Any] | None = None
) -> Iterator[Any]:
    options: dict[str, Any] = {"clients": ClientPool(**pool)} if pool else {}
    with ExitStack() as opened:
        if cluster:
            options["clusters"] = OwnCluster(opened.enter_context(threaded_client(cluster)))
        yield opened.enter_context(DetailsManager(source, **options))


@contextmanager
def awaited(
    source: AsyncStoreConfigSource, cluster: Cluster | None, pool: dict[str, Any] | None = None
) -> Iterator[Any]:
    options: dict[str, Any] = {"clients": AsyncClientPool(**pool)} if pool else {}
    configuration = aio_configuration(cluster) if cluster else None
    apis: list[ApiClient] = []

    def make() -> AsyncDetailsManager:
        if configuration:
            apis.append(ApiClient(configuration))
            options["clusters"] = OwnCluster(apis[0])
        return AsyncDetailsManager(source, **options)

    with Awaited(make) as manager:
        yield manager
        for api in apis:
            manager.run(api.close())


@pytest.fixture(params=[threaded, awaited], ids=["threads", "asyncio"])
def make_manager(request: pytest.FixtureRequest) -> Iterator[MakeManager]:
    """Makes managers of either kind, and closes them."""
    with ExitStack() as opened:
        yield lambda source, cluster=None, **options: opened.enter_context(
            request.param(source, cluster, **options)
        )


@pytest.fixture
def manager(make_manager: MakeManager, place: Place) -> Any:
    return make_manager(StaticStoreConfigs([place.store_config]), place.cluster)


def kept_secret(cluster: Cluster, name: str) -> Kept:
    namespace, _, base = name.partition("/")
    try:
        found = cluster.api("GET", f"/api/v1/namespaces/{namespace}/secrets/{base}")
    except ApiError as error:
        assert error.status == 404
        return Kept({}, {})
    data = {key: b64decode(value) for key, value in found.get("data", {}).items()}
    metadata = found["metadata"]
    return Kept(
        data, {**metadata.get("annotations", {}), **metadata.get("labels", {}), "type": found["type"]}
    )


def put_secret(cluster: Cluster, name: str, data: Mapping[str, bytes], owner: str | None) -> None:
    namespace, _, base = name.partition("/")
    body = {
        "metadata": {"name": base, "labels": {OWNER_LABEL: owner} if owner else {}},
        "data": {key: b64encode(value).decode() for key, value in data.items()},
    }
    cluster.api("POST", f"/api/v1/namespaces/{namespace}/secrets", body)
