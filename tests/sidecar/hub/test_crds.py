"""Kinds of plugins in a real cluster: their CRDs come with them, and configs from there are served."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from tests.sidecar.hub.conftest import FILES
from tests.support.kubernetes import ApiError, Cluster
from tests.support.local_plugin import API_VERSION, KIND, config, running_plugin
from tests.support.sidecar import SidecarProcess, started_sidecar, wait_ready
from tests.support.waiting import eventually

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD, OWN_PLURAL = f"{CRDS}/filesconfigs.files.example.org", f"{CRDS}/fileshelves.files.example.org"


@pytest.fixture
def hub(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/hub.sock"


@pytest.fixture
def sidecar(cluster: Cluster, tmp_path: Path, hub: str) -> Iterator[SidecarProcess]:
    """With its configs in the cluster, which has no such CRD before and after."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(cluster.kubeconfig()))
    groups = ("--hub-listen", hub, "--hub-plugin-groups", "*.example.org")
    groups += ("--pod-name", tmp_path.name, "--pod-namespace", "default")
    try:
        with started_sidecar(
            tmp_path, "--crds", "apply", "--kubeconfig", str(kubeconfig), *groups
        ) as sidecar:
            wait_ready(sidecar)
            yield sidecar
    finally:
        remove(cluster)


def remove(cluster: Cluster) -> None:
    for crd in (CRD, OWN_PLURAL):
        try:
            cluster.api("DELETE", crd)
        except ApiError as error:
            if error.status != 404:
                raise
    eventually(lambda: crd_of(cluster) is crd_of(cluster, OWN_PLURAL) is None, within=90)


def told(name: str, state: str, sidecar: SidecarProcess) -> bool:
    return any(f'"{name}"' in line and f'"{state}"' in line for line in sidecar.log.splitlines())


def crd_of(cluster: Cluster, path: str = CRD) -> dict[str, object] | None:
    try:
        return cluster.api("GET", path)
    except ApiError as error:
        assert error.status == 404
        return None


def test_a_config_of_the_cluster_is_served_by_a_plugin_under_the_plural_that_it_gave(
    cluster: Cluster, sidecar: SidecarProcess, hub: str, tmp_path: Path
) -> None:
    manifest = yaml.safe_load(config(tmp_path, "files", tmp_path, timeout="10s").read_text())
    collection = f"/apis/{API_VERSION}/fileshelves"
    plugin = running_plugin(hub, tmp_path / "plugin.log", plural="fileshelves")
    with plugin, Client(sidecar.endpoint) as client:
        eventually(lambda: crd_of(cluster, OWN_PLURAL))

        def written() -> bool:
            try:
                return bool(cluster.api("POST", collection, manifest))
            except ApiError as error:
                assert error.status == 404, error
                return False

        eventually(written)

        def applied() -> bool:
            try:
                return client.apply(FILES, "team/db", {"k": uuid4().bytes}).changed
            except StorePluginError as error:
                assert error.reason in ("CONFIG_NOT_FOUND", "STORE_UNAVAILABLE"), error
                return False

        eventually(applied, within=40)
        query = f"fieldSelector=involvedObject.name={tmp_path.name},reason=PluginReady"
        eventually(lambda: cluster.api("GET", f"/api/v1/namespaces/default/events?{query}")["items"])


def test_the_crd_of_somebody_else_stays(
    cluster: Cluster, sidecar: SidecarProcess, hub: str, tmp_path: Path
) -> None:
    theirs = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": KIND, "plural": "filesconfigs", "singular": "filesconfig", "listKind": "FilesConfigList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": theirs}}
    cluster.define(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": CRD.rpartition("/")[2]},
            "spec": {
                "group": API_VERSION.partition("/")[0],
                "names": names,
                "scope": "Cluster",
                "versions": [version],
            },
        }
    )
    before = crd_of(cluster)
    with running_plugin(hub, tmp_path / "plugin.log"):
        eventually(lambda: told("filesconfigs.files.example.org", "another's, left", sidecar))
    after = crd_of(cluster)
    assert before is not None
    assert after is not None
    assert before["spec"] == after["spec"]
