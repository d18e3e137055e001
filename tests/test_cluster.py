"""The connection of a process in a Pod to its own cluster."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import incluster_config

from store_plugin.cluster import connected
from store_plugin.cluster_api import ClusterApi
from store_plugin.errors import ConfigInvalid
from stores.kubernetes.kubeconfig import own_cluster
from tests.support.kubernetes import Cluster
from tests.support.pod import environment_in_pod, mount_service_account

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@asynccontextmanager
async def opened_by_a_store() -> AsyncIterator[ApiClient]:
    async with own_cluster() as client:
        yield client


CONNECTIONS = {"configs": connected, "a store": opened_by_a_store}
Connect = Callable[[], AbstractAsyncContextManager[ApiClient]]


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, tmp_path: Path) -> Path:
    """Where the kubelet mounts; nothing is there yet."""
    for name, value in environment_in_pod(cluster).items():
        monkeypatch.setenv(name, value)
    mounted = tmp_path / "serviceaccount"
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(mounted / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(mounted / "ca.crt"))
    return mounted


async def whoever_asks(client: ApiClient) -> str:
    answer = await ClusterApi(client).send("POST", WHO, {})
    assert answer
    return str(answer["status"]["userInfo"]["username"])


@pytest.mark.parametrize("connect", CONNECTIONS.values(), ids=CONNECTIONS)
async def test_a_token_that_the_kubelet_renews_is_taken(
    cluster: Cluster, pod: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    """Shown by the token of another ServiceAccount: it has a name of its own."""
    first, second = (cluster.service_account(cluster.namespace()) for _ in range(2))
    mount_service_account(cluster, first, pod)
    async with connect() as client:
        assert await whoever_asks(client) == first
        mount_service_account(cluster, second, pod)
        later = SimpleNamespace(now=lambda: datetime.now() + timedelta(minutes=2))
        clock = SimpleNamespace(datetime=later, timedelta=timedelta)
        monkeypatch.setattr(incluster_config, "datetime", clock)
        assert await whoever_asks(client) == second


@pytest.mark.parametrize("connect", CONNECTIONS.values(), ids=CONNECTIONS)
async def test_a_pod_without_a_service_account_is_told(pod: Path, connect: Connect) -> None:
    with pytest.raises(ConfigInvalid, match="ServiceAccount"):
        async with connect():
            pass
