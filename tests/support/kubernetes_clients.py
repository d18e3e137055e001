"""Clients of the kubernetes library, of either kind, for the control plane of the tests."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import kubernetes.aio.client
import kubernetes.aio.config
import kubernetes.client
import kubernetes.config

from tests.support.kubernetes import Cluster


@contextmanager
def threaded_client(cluster: Cluster, token: str | None = None) -> Iterator[kubernetes.client.ApiClient]:
    kubeconfig = cluster.kubeconfig(token) if token else cluster.kubeconfig()
    with kubernetes.config.new_client_from_config_dict(kubeconfig, persist_config=False) as client:
        yield client


def aio_configuration(cluster: Cluster, token: str | None = None) -> kubernetes.aio.client.Configuration:
    """What an aio ApiClient is made with, on the loop that it is to work on."""
    kubeconfig = cluster.kubeconfig(token) if token else cluster.kubeconfig()
    configuration = kubernetes.aio.client.Configuration()
    loading = kubernetes.aio.config.load_kube_config_from_dict(kubeconfig, client_configuration=configuration)
    asyncio.run(loading)
    return configuration
