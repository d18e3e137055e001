"""StoreConfigs of type Kubernetes: Secrets of a real API server."""

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from store_plugin.errors import (
    ConfigInvalid,
    InvalidRequest,
    LoginRefused,
    NotOwner,
    StoreDenied,
    StoreUnavailable,
)
from store_plugin.model import OWNER_LABEL
from store_plugin.runtime import DetailsManager, OwnCluster, StaticStoreConfigs
from tests.runtime.conftest import MakeManager, Place, Thing, store_config
from tests.support.kubernetes import MERGE, Cluster
from tests.support.kubernetes_clients import threaded_client

DETAILS = {"password": b"\x00secret"}


@pytest.fixture
def thing(in_cluster: Place) -> Thing:
    return Thing(in_cluster.namespace)


@pytest.fixture
def manager(make_manager: MakeManager, in_cluster: Place) -> Any:
    return make_manager(StaticStoreConfigs([in_cluster.store_config]), in_cluster.cluster)


def path_of(thing: Thing) -> str:
    return f"/api/v1/namespaces/{thing.namespace}/secrets/{thing.name}"


def test_an_owner_may_ask_for_a_type(cluster: Cluster, manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(metadata={"type": "example.org/login"}), DETAILS)
    assert cluster.api("GET", path_of(thing))["type"] == "example.org/login"


def test_a_type_that_cannot_change_is_told(manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(), DETAILS)
    with pytest.raises(InvalidRequest, match=r"is of type connection\.crossplane\.io/v1alpha1"):
        manager.publish(thing.manifest(metadata={"type": "example.org/login"}), DETAILS)


def test_what_others_have_put_there_survives(cluster: Cluster, manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(metadata={"labels": {"team": "a"}}), DETAILS)
    theirs = {
        "metadata": {"labels": {"theirs": "1"}, "annotations": {"note": "x"}, "finalizers": ["a.b/c"]},
        "data": {"theirs": b64encode(b"2").decode()},
    }
    cluster.api("PATCH", path_of(thing), theirs, content_type=MERGE)
    manager.publish(thing.manifest(), {"password": b"new"})
    manager.unpublish(thing.manifest(), ["password"])
    found = cluster.api("GET", path_of(thing))
    cluster.api("PATCH", path_of(thing), {"metadata": {"finalizers": None}}, content_type=MERGE)
    assert found["data"] == theirs["data"]
    assert found["metadata"]["finalizers"] == ["a.b/c"]
    assert found["metadata"]["annotations"] == {"note": "x"}
    assert found["metadata"]["labels"] == {OWNER_LABEL: thing.uid, "team": "a", "theirs": "1"}


@pytest.mark.parametrize("controller", [True, False], ids=["controls it", "owns it"])
def test_a_secret_of_write_connection_secret_to_ref_belongs_to_its_owner(
    cluster: Cluster, manager: Any, thing: Thing, controller: bool
) -> None:
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": thing.uid, "controller": controller}
    other = {"apiVersion": "v1", "kind": "Pod", "name": "q", "uid": "else"}
    references = [other, reference] if controller else [reference, other]
    body = {"metadata": {"name": thing.name, "ownerReferences": references}}
    cluster.api("POST", f"/api/v1/namespaces/{thing.namespace}/secrets", body)
    assert manager.publish(thing.manifest(), DETAILS) is True
    with pytest.raises(NotOwner):
        manager.publish(Thing(thing.namespace, thing.name).manifest(), DETAILS)


def test_sixteen_writers_lose_nothing(cluster: Cluster, in_cluster: Place, thing: Thing) -> None:
    """Each writes a key of its own into the one secret, which none of them has seen before."""
    with (
        threaded_client(cluster) as client,
        DetailsManager(StaticStoreConfigs([in_cluster.store_config]), clusters=OwnCluster(client)) as manager,
        ThreadPoolExecutor(16) as pool,
    ):
        published = [
            pool.submit(manager.publish, thing.manifest(), {f"key-{number}": b"v"}) for number in range(16)
        ]
        assert all(each.result() for each in published)
        assert len(in_cluster.look(f"{thing.namespace}/{thing.name}").data) == 16


def test_a_namespace_that_is_not_there_is_told(manager: Any) -> None:
    with pytest.raises(InvalidRequest, match="there is no namespace nowhere"):
        manager.publish(Thing("nowhere").manifest(), DETAILS)


def test_what_the_api_server_refuses_is_told_without_the_value(manager: Any, thing: Thing) -> None:
    metadata = {"labels": {"team": "not a label value"}}
    with pytest.raises(InvalidRequest, match=r"the API server answers: .*metadata\.labels") as refused:
        manager.publish(thing.manifest(metadata=metadata), {"password": b"hunter2"})
    assert b64encode(b"hunter2").decode() not in str(refused.value)


def test_a_name_of_more_parts_is_no_secret(manager: Any, thing: Thing) -> None:
    with pytest.raises(InvalidRequest, match="in Kubernetes a name is NAMESPACE/NAME"):
        manager.fetch(thing.manifest(name="a/b"))


def test_missing_rights_are_told_as_the_api_server_words_them(
    cluster: Cluster, in_cluster: Place, thing: Thing
) -> None:
    token = cluster.token(cluster.service_account(in_cluster.namespace, "operator"))
    configs = StaticStoreConfigs([in_cluster.store_config])
    with (
        threaded_client(cluster, token) as client,
        DetailsManager(configs, clusters=OwnCluster(client)) as manager,
        pytest.raises(StoreDenied, match='cannot get resource "secrets"'),
    ):
        manager.fetch(thing.manifest())


def test_a_login_that_is_refused_never_shows_its_token(
    cluster: Cluster, in_cluster: Place, thing: Thing
) -> None:
    configs = StaticStoreConfigs([in_cluster.store_config])
    with (
        threaded_client(cluster, "canary-token") as client,
        DetailsManager(configs, clusters=OwnCluster(client)) as manager,
        pytest.raises(LoginRefused, match="Unauthorized") as refused,
    ):
        manager.fetch(thing.manifest())
    assert "canary" not in str(refused.value)


def test_an_api_server_that_is_away_is_unavailable(make_manager: MakeManager, cluster: Cluster) -> None:
    class Away(Cluster):
        def __init__(self) -> None:
            self.__dict__.update(vars(cluster))
            self.address = "https://127.0.0.1:1"

    manager = make_manager(StaticStoreConfigs([store_config(type="Kubernetes")]), Away())
    with pytest.raises(
        StoreUnavailable, match="cannot read from secret store: the API server gave no answer"
    ):
        manager.fetch(Thing("team-a").manifest())


def test_an_operator_without_a_cluster_says_what_to_do(make_manager: MakeManager) -> None:
    manager = make_manager(StaticStoreConfigs([store_config(type="Kubernetes")]))
    with pytest.raises(ConfigInvalid, match=r"cannot connect to secret store: .*clusters=\.\.\."):
        manager.fetch(Thing("team-a").manifest())


def test_another_cluster_is_refused(make_manager: MakeManager, cluster: Cluster) -> None:
    auth = {"source": "Filesystem", "fs": {"path": "/kubeconfig"}}
    config = store_config(type="Kubernetes", kubernetes={"auth": auth})
    manager = make_manager(StaticStoreConfigs([config]), cluster)
    with pytest.raises(ConfigInvalid, match="names another cluster"):
        manager.fetch(Thing("team-a").manifest())


def test_the_own_cluster_may_be_named(in_cluster: Place, make_manager: MakeManager, thing: Thing) -> None:
    config = store_config(type="Kubernetes", kubernetes={"auth": {"source": "None"}})
    manager = make_manager(StaticStoreConfigs([config]), in_cluster.cluster)
    assert manager.publish(thing.manifest(), DETAILS) is True
