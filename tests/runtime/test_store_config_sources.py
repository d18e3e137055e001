"""StoreConfigs from a real API server, in a group of an operator's own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from kubernetes.aio.client import ApiClient

from store_plugin.crds.collection import store_config_definition
from store_plugin.errors import ConfigInvalid, ConfigNotFound, StoreDenied, StoreUnavailable
from store_plugin.runtime import (
    AsyncClusterStoreConfigs,
    ClusterStoreConfigs,
    StoreConfig,
    ThreadedStoreConfigs,
    WatchedStoreConfigs,
)
from tests.support.kubernetes import ApiError, Cluster
from tests.support.kubernetes_clients import aio_configuration, threaded_client
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

API_VERSION = "gcp.crossplane.io/v1alpha1"
WITHIN = 60.0


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Cluster:
    cluster.define(store_config_definition(API_VERSION).manifest())
    return cluster


@pytest.fixture
async def api(served: Cluster) -> AsyncIterator[ApiClient]:
    configuration = await asyncio.to_thread(aio_configuration, served)
    async with ApiClient(configuration) as client:
        yield client


@pytest.fixture
def name(served: Cluster) -> Iterator[str]:
    name = f"store-{uuid4().hex[:8]}"
    yield name
    remove(served, name, missing_ok=True)


def put(cluster: Cluster, name: str, scope: str = "crossplane-system") -> None:
    cluster.apply(
        {
            "apiVersion": API_VERSION,
            "kind": "StoreConfig",
            "metadata": {"name": name},
            "spec": {"type": "Kubernetes", "defaultScope": scope},
        }
    )


def remove(cluster: Cluster, name: str, *, missing_ok: bool = False) -> None:
    try:
        cluster.api("DELETE", f"/apis/{API_VERSION}/storeconfigs/{name}")
    except ApiError as error:
        if error.status != 404 or not missing_ok:
            raise


def operator(cluster: Cluster, *verbs: str) -> str:
    """The user name of an operator that may do so much with its StoreConfigs."""
    user = cluster.service_account(cluster.namespace(), "operator")
    if verbs:
        rule = {"apiGroups": ["gcp.crossplane.io"], "resources": ["storeconfigs"], "verbs": list(verbs)}
        cluster.allow(user, [rule])
    return user


def scope_of(configs: Any, name: str) -> str | None:
    try:
        config: StoreConfig = configs.get(name)
    except ConfigNotFound:
        return None
    return config.spec.default_scope


async def becomes(configs: WatchedStoreConfigs, name: str, scope: str | None) -> None:
    async with asyncio.timeout(WITHIN):
        while scope_of(configs, name) != scope:
            await asyncio.sleep(0.01)


def test_threads_ask_each_time(served: Cluster, name: str) -> None:
    with threaded_client(served) as client:
        configs = ClusterStoreConfigs(client, API_VERSION)
        assert scope_of(configs, name) is None
        for scope in ("one", "two"):
            put(served, name, scope)
            assert scope_of(configs, name) == scope


async def test_asyncio_asks_each_time(served: Cluster, api: ApiClient, name: str) -> None:
    configs = AsyncClusterStoreConfigs(api, API_VERSION)
    with pytest.raises(ConfigNotFound, match=name):
        await configs.get(name)
    await asyncio.to_thread(put, served, name, "one")
    assert (await configs.get(name)).spec.default_scope == "one"


async def test_the_watch_knows_what_was_there_and_follows(served: Cluster, api: ApiClient, name: str) -> None:
    await asyncio.to_thread(put, served, name, "one")
    async with WatchedStoreConfigs(api, API_VERSION) as configs:
        assert scope_of(configs, name) == "one"
        await asyncio.to_thread(put, served, name, "two")
        await becomes(configs, name, "two")
        await asyncio.to_thread(remove, served, name)
        await becomes(configs, name, None)


def test_threads_may_watch_as_well(served: Cluster, name: str) -> None:
    configuration = aio_configuration(served)

    async def connect() -> ApiClient:
        return ApiClient(configuration)

    with ThreadedStoreConfigs(connect, API_VERSION) as configs:
        put(served, name, "one")
        eventually(lambda: scope_of(configs, name) == "one")


async def test_a_watch_makes_no_request_for_an_answer(served: Cluster, name: str) -> None:
    user = await asyncio.to_thread(operator, served, "list", "watch")
    configuration = await asyncio.to_thread(aio_configuration, served, served.token(user))
    await asyncio.to_thread(put, served, name, "one")
    async with ApiClient(configuration) as api, WatchedStoreConfigs(api, API_VERSION) as configs:
        await asyncio.to_thread(put, served, name, "two")
        await becomes(configs, name, "two")
        with served.recorded(user) as requests:
            for _ in range(100):
                configs.get(name)
    assert requests == []


async def test_the_last_state_serves_while_the_server_is_away_and_the_watch_goes_on(
    served: Cluster, api: ApiClient, name: str
) -> None:
    await asyncio.to_thread(put, served, name, "one")
    async with WatchedStoreConfigs(api, API_VERSION) as configs:
        await asyncio.to_thread(served.crash)
        try:
            assert scope_of(configs, name) == "one"
        finally:
            await asyncio.to_thread(served.start)
        await asyncio.to_thread(put, served, name, "two")
        await becomes(configs, name, "two")


async def test_what_the_server_has_forgotten_is_listed_anew(served: Cluster, name: str) -> None:
    """The watch is cut off, and wants to resume at a version that is compacted meanwhile."""
    user = await asyncio.to_thread(operator, served, "list", "watch")
    configuration = await asyncio.to_thread(aio_configuration, served, served.token(user))
    await asyncio.to_thread(put, served, name, "one")
    async with Proxy(served.address) as proxy:
        configuration.host = proxy.address
        async with ApiClient(configuration) as api, WatchedStoreConfigs(api, API_VERSION) as configs:
            with served.recorded(user) as requests:
                proxy.cut_answers = True
                proxy.drop()
                await asyncio.to_thread(put, served, name, "two")
                await asyncio.to_thread(served.compact)
                await asyncio.to_thread(served.crash)
                await asyncio.to_thread(served.start)
                assert scope_of(configs, name) == "one"
                proxy.cut_answers = False
                await becomes(configs, name, "two")
    assert "list" in {request.verb for request in requests}


async def test_missing_rights_are_told_at_once(served: Cluster) -> None:
    user = await asyncio.to_thread(operator, served)
    configuration = await asyncio.to_thread(aio_configuration, served, served.token(user))
    async with ApiClient(configuration) as api:
        with pytest.raises(StoreDenied, match="may not list StoreConfigs"):
            async with WatchedStoreConfigs(api, API_VERSION):
                pass
        with pytest.raises(StoreDenied, match="storeconfigs"):
            await AsyncClusterStoreConfigs(api, API_VERSION).get("any")


async def test_a_group_without_store_configs_is_told(api: ApiClient) -> None:
    with pytest.raises(ConfigInvalid, match=r"no StoreConfigs in nobody\.example\.org/v1: apply"):
        async with WatchedStoreConfigs(api, "nobody.example.org/v1"):
            pass


async def test_a_server_that_never_answers_is_told(served: Cluster) -> None:
    configuration = await asyncio.to_thread(aio_configuration, served)
    configuration.host = "https://127.0.0.1:1"
    async with ApiClient(configuration) as api:
        with pytest.raises(StoreUnavailable, match=r"no list of StoreConfigs in \S+ within \S+ s: \w"):
            async with WatchedStoreConfigs(api, API_VERSION, synced_within=0.5):
                pass


def test_a_thread_that_cannot_watch_hands_its_error_over(served: Cluster) -> None:
    configuration = aio_configuration(served)

    async def connect() -> ApiClient:
        return ApiClient(configuration)

    with pytest.raises(ConfigInvalid, match="apply the operator's CRDs"):
        ThreadedStoreConfigs(connect, "nobody.example.org/v1").__enter__()


@pytest.mark.parametrize("api_version", ["v1", "", "/v1", "group/"])
def test_an_api_version_has_a_group(api_version: str) -> None:
    with pytest.raises(ValueError, match="GROUP/VERSION"):
        WatchedStoreConfigs(object(), api_version)  # type: ignore[arg-type]
