"""The finalizer, as patches that a real API server takes."""

from typing import Any
from uuid import uuid4

import pytest

from store_plugin.runtime.finalizers import FINALIZER, add_finalizer, being_deleted, remove_finalizer
from tests.support.kubernetes import MERGE, ApiError, Cluster


@pytest.fixture
def path(cluster: Cluster) -> str:
    namespace, name = cluster.namespace(), f"owner-{uuid4().hex[:8]}"
    body = {"metadata": {"name": name, "finalizers": ["theirs.example.org/x"]}}
    cluster.api("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
    return f"/api/v1/namespaces/{namespace}/configmaps/{name}"


def patched(cluster: Cluster, path: str, patch: dict[str, Any] | None) -> dict[str, Any]:
    assert patch is not None
    return cluster.api("PATCH", path, patch, content_type=MERGE)


def test_it_keeps_an_object_until_it_is_removed(cluster: Cluster, path: str) -> None:
    owner = patched(cluster, path, add_finalizer(cluster.api("GET", path)))
    assert owner["metadata"]["finalizers"] == ["theirs.example.org/x", FINALIZER]
    assert add_finalizer(owner) is None
    cluster.api("DELETE", path)
    owner = cluster.api("GET", path)
    assert being_deleted(owner)
    owner = patched(cluster, path, remove_finalizer(owner))
    assert owner["metadata"]["finalizers"] == ["theirs.example.org/x"]
    assert remove_finalizer(owner) is None
    cluster.api("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE)
    with pytest.raises(ApiError, match="404"):
        cluster.api("GET", path)


def test_what_somebody_else_added_meanwhile_is_not_undone(cluster: Cluster, path: str) -> None:
    patch = add_finalizer(cluster.api("GET", path))
    theirs = {"metadata": {"finalizers": ["theirs.example.org/x", "other.example.org/y"]}}
    cluster.api("PATCH", path, theirs, content_type=MERGE)
    with pytest.raises(ApiError, match="409"):
        patched(cluster, path, patch)
    cluster.api("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE)


def test_none_is_added_to_an_object_that_is_being_deleted() -> None:
    going = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}}
    assert add_finalizer(going) is None
    assert add_finalizer({"metadata": {"resourceVersion": "1"}}, "own.example.org/f") == {
        "metadata": {"finalizers": ["own.example.org/f"], "resourceVersion": "1"}
    }
