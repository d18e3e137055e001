"""The control plane that tests run against does what they rely on."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.kubernetes import ApiError, Cluster, Request
from tests.support.tools import tool


def test_it_is_the_pinned_version(cluster: Cluster) -> None:
    assert cluster.api("GET", "/version")["gitVersion"] == "v1.36.3"


def test_a_service_account_may_do_what_it_was_given_and_nothing_else(cluster: Cluster) -> None:
    namespace = cluster.namespace()
    user = cluster.service_account(namespace)
    token = cluster.token(user)
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    with pytest.raises(ApiError, match="403"):
        cluster.api("GET", secrets, token=token)
    binding = cluster.allow(
        user, [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}], namespace
    )
    assert cluster.api("GET", secrets, token=token)["items"] == []
    cluster.take_back(binding)
    with pytest.raises(ApiError, match="403"):
        cluster.api("GET", secrets, token=token)


def test_requests_are_recorded_by_user(cluster: Cluster) -> None:
    namespace = cluster.namespace()
    user = cluster.service_account(namespace)
    token = cluster.token(user)
    with cluster.recorded(user) as requests, pytest.raises(ApiError, match="403"):
        cluster.api("GET", f"/api/v1/namespaces/{namespace}/secrets/one", token=token)
    assert requests == [Request(user, "get", "secrets", namespace, "one")]


def test_a_stopped_api_server_refuses_and_comes_back_with_all_it_had(cluster: Cluster) -> None:
    namespace = cluster.namespace()
    cluster.stop()
    try:
        with pytest.raises(OSError, match="refused"):
            cluster.api("GET", f"/api/v1/namespaces/{namespace}")
    finally:
        cluster.start()
    assert cluster.api("GET", f"/api/v1/namespaces/{namespace}")["status"]["phase"] == "Active"


def test_kubectl_speaks_to_it(cluster: Cluster, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(cluster.kubeconfig()))
    listed = [str(tool("kubectl")), f"--kubeconfig={config}", "get", "namespaces", "-o", "name"]
    done = subprocess.run(listed, check=True, capture_output=True, text=True, timeout=60)
    assert "namespace/default" in done.stdout
