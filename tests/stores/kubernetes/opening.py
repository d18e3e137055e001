"""How the tests here open a store: with a kubeconfig as credential."""

import yaml

from store_plugin.testing.environment import MemoryCredentials, memory_environment
from stores.kubernetes import KubernetesFactory
from stores.kubernetes.spec import KubernetesSpec
from stores.kubernetes.store import KubernetesStore
from tests.support.kubernetes import Cluster

GIVEN = {"source": "Environment", "env": {"name": "UNUSED"}}
"""A credential reference; what it resolves to is in `MemoryCredentials`."""


def credentials(cluster: Cluster, **options: str) -> MemoryCredentials:
    return MemoryCredentials({"kubeconfig": yaml.safe_dump(cluster.kubeconfig(**options)).encode()})


async def open_store(resolved: MemoryCredentials, **fields: object) -> KubernetesStore:
    spec = KubernetesSpec.model_validate({"kubeconfig": GIVEN, **fields})
    return await KubernetesFactory().open(
        spec, memory_environment(resolved, None, "KubernetesStoreConfig/test")
    )


def secrets(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}".rstrip("/")
