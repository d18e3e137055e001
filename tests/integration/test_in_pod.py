"""Inside a Pod nothing says which cluster it is: the ServiceAccount's directory and the
environment do, for the configs and for Secrets as a store."""

from pathlib import Path
from uuid import uuid4

import yaml

from store_plugin.client import Client
from store_plugin.model import OWNER_LABEL
from store_plugin.runtime import DetailsManager, StaticStoreConfigs, StoreConfig
from tests.support.kubernetes import Cluster, path_of
from tests.support.manifests import GROUP_VERSION, manifest
from tests.support.pod import sidecar_account, sidecar_in_pod
from tests.support.sidecar import SidecarProcess

STORE_RULE = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]}


def test_secrets_of_the_own_cluster_are_kept_under_the_pods_service_account(
    installed: Cluster, tmp_path: Path
) -> None:
    namespace, name = installed.namespace(), f"here-{uuid4().hex[:8]}"
    user = sidecar_account(installed, namespace, namespace)
    installed.allow(user, [STORE_RULE], namespace)
    config = manifest("KubernetesStoreConfig", name, {"access": [{"scopes": [namespace]}]})
    installed.apply(config)
    path = f"/api/v1/namespaces/{namespace}/secrets/login"
    try:
        with (
            installed.recorded(user) as requests,
            sidecar_in_pod(installed, user, tmp_path) as sidecar,
            Client(sidecar.endpoint) as client,
        ):
            reference = f"KubernetesStoreConfig/{name}"
            client.apply(reference, f"{namespace}/login", {"password": b"x"}, owner="uid-1")
            labels = installed.api("GET", path)["metadata"]["labels"]
            client.delete(reference, f"{namespace}/login", owner="uid-1")
    finally:
        installed.api("DELETE", path_of(config))
    assert labels == {OWNER_LABEL: "uid-1"}
    assert {request.verb for request in requests if request.resource == "secrets"} == {
        "get",
        "create",
        "delete",
    }


def kubeconfig_secret(cluster: Cluster, namespace: str, user: str) -> dict[str, str]:
    """The reference to a kubeconfig of that user, in a Secret that the sidecar's role names."""
    place = {"namespace": namespace, "name": "vault-token"}
    content = {"kubeconfig": yaml.safe_dump(cluster.kubeconfig(cluster.token(user)))}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": place, "stringData": content})
    return {**place, "key": "kubeconfig"}


def store_config(sidecar: SidecarProcess, name: str, scope: str) -> StoreConfig:
    """One that leads to the KubernetesStoreConfig of that name."""
    reference = {"apiVersion": GROUP_VERSION, "kind": "KubernetesStoreConfig", "name": name}
    external = {"endpoint": sidecar.endpoint, "configRef": reference}
    spec = {"type": "External", "defaultScope": scope, "external": external}
    return StoreConfig.from_manifest({"metadata": {"name": "default"}, "spec": spec})


def test_an_operator_reaches_another_cluster_through_a_config_that_names_it(
    installed: Cluster, tmp_path: Path
) -> None:
    """What a StoreConfig of type Kubernetes with a kubeconfig of its own is told to use."""
    own, other, name = installed.namespace(), installed.namespace(), f"other-{uuid4().hex[:8]}"
    user, remote = sidecar_account(installed, own, own), installed.service_account(other, "publisher")
    installed.allow(remote, [STORE_RULE], other)
    source = {"source": "Secret", "secretRef": kubeconfig_secret(installed, own, remote)}
    config = manifest("KubernetesStoreConfig", name, {"kubeconfig": source})
    owner = {
        "metadata": {"namespace": other, "name": "db", "uid": "uid-1"},
        "spec": {"publishConnectionDetailsTo": {"name": "login"}},
    }
    installed.apply(config)
    try:
        with (
            installed.recorded(remote) as requests,
            sidecar_in_pod(installed, user, tmp_path) as sidecar,
            DetailsManager(StaticStoreConfigs([store_config(sidecar, name, other)])) as details,
        ):
            assert details.publish(owner, {"password": b"x"})
            kept = installed.api("GET", f"/api/v1/namespaces/{other}/secrets/login")
            details.unpublish(owner)
    finally:
        installed.api("DELETE", path_of(config))
    assert kept["metadata"]["labels"] == {OWNER_LABEL: "uid-1"}
    assert {request.verb for request in requests} == {"get", "create", "delete"}
