"""What is particular to Secrets: labels, owners, names, rights, and a kubeconfig that changes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.errors import (
    ConfigInvalid,
    Conflict,
    InvalidRequest,
    LoginRefused,
    NameNotSupported,
    NotOwner,
    StoreDenied,
    StoreUnavailable,
    TooLarge,
)
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials
from stores.kubernetes.store import KubernetesStore
from tests.stores.kubernetes.opening import credentials, open_store, secrets
from tests.support.kubernetes import MERGE, Cluster

CANARY = b"c4nary-v4lue"
EVERY_VERB = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]}
CONTROLLER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": True}


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    return cluster.namespace()


@pytest.fixture
def name(namespace: str) -> ScopedName:
    return ScopedName.parse(f"{namespace}/database")


@pytest.fixture
async def store(cluster: Cluster) -> AsyncIterator[KubernetesStore]:
    opened = await open_store(credentials(cluster))
    yield opened
    await opened.aclose()


@pytest.fixture
async def engine(store: KubernetesStore) -> Engine:
    return Engine(store, Rules(), LocationLocks())


def soon(seconds: float = 30.0) -> float:
    return asyncio.get_running_loop().time() + seconds


def put(cluster: Cluster, name: ScopedName, **fields: Any) -> None:
    """A Secret that somebody else made."""
    metadata = {"name": name.segments[1], **fields.pop("metadata", {})}
    cluster.api("POST", secrets(name.scope), {"metadata": metadata, **fields})


def raw(cluster: Cluster, name: ScopedName) -> dict[str, Any]:
    return cluster.api("GET", secrets(*name.segments))


async def test_a_secret_looks_as_crossplanes_do(cluster: Cluster, engine: Engine, name: ScopedName) -> None:
    secret = Secret({"password": b"\xff"}, {OWNER_LABEL: "uid-1", "team": "a"})
    await engine.apply(name, secret, deadline=soon())
    found = raw(cluster, name)
    assert found["type"] == "connection.crossplane.io/v1alpha1"
    assert found["metadata"]["labels"] == {OWNER_LABEL: "uid-1", "team": "a"}
    assert found["data"] == {"password": "/w=="}


async def test_another_type_can_be_asked_for(cluster: Cluster, name: ScopedName) -> None:
    store = await open_store(credentials(cluster), secretType="Opaque")
    await Engine(store, Rules(), LocationLocks()).apply(name, Secret({"a": b"1"}), deadline=soon())
    await store.aclose()
    assert raw(cluster, name)["type"] == "Opaque"


async def test_what_others_put_into_a_secret_stays(
    cluster: Cluster, engine: Engine, name: ScopedName
) -> None:
    await engine.apply(name, Secret({"a": b"1"}), deadline=soon())
    theirs = {"annotations": {"note": "x"}, "labels": {"theirs": "x"}, "finalizers": ["example.org/hold"]}
    cluster.api("PATCH", secrets(*name.segments), {"metadata": theirs}, content_type=MERGE)
    await engine.apply(name, Secret({"b": b"2"}, {"ours": "y"}), deadline=soon())
    metadata = raw(cluster, name)["metadata"]
    assert metadata["annotations"] == theirs["annotations"]
    assert metadata["labels"] == {"theirs": "x", "ours": "y"}
    assert metadata["finalizers"] == theirs["finalizers"]


async def test_an_owner_reference_owns(cluster: Cluster, engine: Engine, name: ScopedName) -> None:
    put(cluster, name, metadata={"ownerReferences": [CONTROLLER | {"uid": "uid-1"}]}, data={"a": "MQ=="})
    with pytest.raises(NotOwner):
        await engine.apply(name, Secret({"b": b"2"}, {OWNER_LABEL: "uid-2"}), deadline=soon())
    await engine.apply(name, Secret({"b": b"2"}, {OWNER_LABEL: "uid-1"}), deadline=soon())
    assert set(raw(cluster, name)["data"]) == {"a", "b"}
    assert (await engine.get(name)).secret.owner == "uid-1"


async def test_a_secret_that_waits_for_finalizers_is_gone_and_not_created_again(
    cluster: Cluster, engine: Engine, name: ScopedName
) -> None:
    put(cluster, name, metadata={"finalizers": ["example.org/hold"]}, data={"a": "MQ=="})
    await engine.delete(name, [], deadline=soon())
    assert not (await engine.get(name)).present
    with pytest.raises(Conflict):
        await engine.apply(name, Secret({"b": b"2"}), deadline=soon(0.5))
    released = {"metadata": {"finalizers": None}}
    cluster.api("PATCH", secrets(*name.segments), released, content_type=MERGE)
    assert (await engine.apply(name, Secret({"b": b"2"}), deadline=soon())).changed


@pytest.mark.parametrize(
    "text",
    ["database", "team/deep/database", "Team/a", "te.am/a", "team/A", "team/a_b", "team/a..b", "team/a@b"],
)
async def test_a_name_that_no_secret_can_have_is_refused(engine: Engine, text: str) -> None:
    with pytest.raises(NameNotSupported):
        await engine.get(ScopedName.parse(text))


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"team": "a b"}, InvalidRequest),
        ({"team": "x" * 64}, TooLarge),
        ({"a b": "x"}, InvalidRequest),
        ({"x" * 64: "x"}, InvalidRequest),
        ({"Example.org/x": "x"}, InvalidRequest),
        ({"a/b/c": "x"}, InvalidRequest),
    ],
    ids=["value", "long value", "key", "long key", "prefix", "slashes"],
)
async def test_metadata_that_is_no_label_is_refused(
    engine: Engine, name: ScopedName, metadata: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await engine.apply(name, Secret({"a": CANARY}, metadata), deadline=soon())


async def test_a_missing_namespace_is_told(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="there is no namespace nowhere-at-all: create it first"):
        await engine.apply(ScopedName.parse("nowhere-at-all/a"), Secret({"a": b"1"}), deadline=soon())
    assert not (await engine.get(ScopedName.parse("nowhere-at-all/a"))).present


async def test_an_immutable_secret_is_told_without_its_values(
    cluster: Cluster, engine: Engine, name: ScopedName
) -> None:
    put(cluster, name, data={"a": "MQ=="}, immutable=True)
    with pytest.raises(InvalidRequest, match="immutable") as refused:
        await engine.apply(name, Secret({"a": CANARY}), deadline=soon())
    assert CANARY.decode() not in repr(refused.value)


async def test_a_get_is_one_request_and_a_changed_apply_two(cluster: Cluster, namespace: str) -> None:
    user = cluster.service_account(namespace)
    cluster.allow(user, [EVERY_VERB], namespace)
    store = await open_store(credentials(cluster, token=cluster.token(user)))
    engine, name = Engine(store, Rules(), LocationLocks()), ScopedName.parse(f"{namespace}/a")
    with cluster.recorded(user) as requests:
        await engine.apply(name, Secret({"a": b"1"}), deadline=soon())
        await engine.get(name)
        await engine.apply(name, Secret({"a": b"1"}), deadline=soon())
        await engine.apply(name, Secret({"a": b"2"}), deadline=soon())
        await engine.delete(name, [], deadline=soon())
    await store.aclose()
    made = ["get", "create"], ["get"], ["get"], ["get", "patch"], ["get", "delete"]
    assert [request.verb for request in requests] == [verb for verbs in made for verb in verbs]


async def test_the_check_names_rights_that_are_missing(cluster: Cluster, namespace: str) -> None:
    user = cluster.service_account(namespace)
    cluster.allow(user, [EVERY_VERB | {"verbs": ["get", "create"]}], namespace)
    resolved = credentials(cluster, token=cluster.token(user))
    scoped = await open_store(resolved, access=[{"scopes": [namespace]}])
    with pytest.raises(StoreDenied, match=f"patch in {namespace}, delete in {namespace}; add it to its role"):
        await scoped.check()
    everywhere = await open_store(resolved)
    (warning,) = await everywhere.check()
    assert "get in all namespaces" in warning
    for store in (scoped, everywhere):
        await store.aclose()


async def test_rights_that_are_taken_away_are_told(cluster: Cluster, namespace: str) -> None:
    user = cluster.service_account(namespace)
    store = await open_store(credentials(cluster, token=cluster.token(user)))
    with pytest.raises(StoreDenied, match="cannot get resource"):
        await store.read(ScopedName.parse(f"{namespace}/a"))
    await store.aclose()


async def test_an_api_server_that_is_away_is_unavailable(cluster: Cluster, name: ScopedName) -> None:
    config = credentials(cluster).get("kubeconfig").replace(cluster.address.encode(), b"https://127.0.0.1:1")
    store = await open_store(MemoryCredentials({"kubeconfig": config}))
    with pytest.raises(StoreUnavailable):
        await store.read(name)
    await store.aclose()


async def test_a_rotated_token_is_used_without_a_failed_call(cluster: Cluster, name: ScopedName) -> None:
    user = cluster.service_account(name.scope)
    cluster.allow(user, [EVERY_VERB], name.scope)
    resolved = credentials(cluster, token=cluster.token(user))
    store = await open_store(resolved)
    reads = [asyncio.create_task(store.read(name)) for _ in range(16)]
    resolved.replace({"kubeconfig": credentials(cluster, token=cluster.token(user)).get("kubeconfig")})
    reads += [asyncio.create_task(store.read(name)) for _ in range(16)]
    assert {found.present for found in await asyncio.gather(*reads)} == {False}
    resolved.replace({"kubeconfig": credentials(cluster, token="wrong").get("kubeconfig")})
    with pytest.raises(LoginRefused):
        await store.read(name)
    await store.aclose()
    assert resolved.subscribers == 0


async def test_a_closed_store_says_so(cluster: Cluster, name: ScopedName) -> None:
    store = await open_store(credentials(cluster))
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.read(name)


async def test_outside_of_a_pod_a_kubeconfig_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigInvalid, match="give the config a kubeconfig"):
        await open_store(MemoryCredentials())
