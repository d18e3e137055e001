"""Inside a Pod nothing says which cluster it is: the ServiceAccount's directory and the
environment do, for the configs and for Secrets as a store."""

from pathlib import Path
from uuid import uuid4

from store_plugin.client import Client
from store_plugin.model import OWNER_LABEL
from tests.support.kubernetes import Cluster, path_of
from tests.support.manifests import manifest
from tests.support.pod import sidecar_account, sidecar_in_pod

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
