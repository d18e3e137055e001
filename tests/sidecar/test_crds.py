"""`serve --crds`: a sidecar brings its CRDs into a real cluster, and serves whatever happens."""

from pathlib import Path

import pytest
import yaml

from store_plugin.client import Client
from store_plugin.crds.definition import Definition
from store_plugin.sidecar.crds import bring_crds
from tests.docs.pages import ROOT
from tests.support import manifests
from tests.support.fakes import RecordingLog
from tests.support.kubernetes import Cluster, path_of
from tests.support.sidecar import running_sidecar
from tests.support.waiting import eventually

OURS = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory = tmp_path / "configs"
    directory.mkdir()
    manifests.local(directory, "files", tmp_path)
    return directory


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(cluster.kubeconfig()))
    return path


def test_crds_are_applied_at_start(cluster: Cluster, configs: Path, kubeconfig: Path) -> None:
    with running_sidecar(configs, "--crds", "apply", "--kubeconfig", str(kubeconfig)) as sidecar:
        eventually(lambda: sidecar.log.count('"event": "CRD"') == len(OURS))
        assert sidecar.log.count('"state": "applied"') == len(OURS)
        for crd in OURS:
            assert cluster.api("GET", path_of(crd))["spec"]["names"]["kind"] == crd["spec"]["names"]["kind"]
    with running_sidecar(configs, "--crds", "check", "--kubeconfig", str(kubeconfig)) as sidecar:
        eventually(lambda: sidecar.log.count('"state": "current"') == len(OURS))


def test_a_cluster_that_is_away_is_told_and_holds_nothing_up(
    cluster: Cluster, configs: Path, kubeconfig: Path
) -> None:
    kubeconfig.write_text(kubeconfig.read_text().replace(cluster.address, "https://127.0.0.1:1"))
    with running_sidecar(configs, "--crds", "apply", "--kubeconfig", str(kubeconfig)) as sidecar:
        with Client(sidecar.endpoint) as client:
            assert client.apply("LocalConfig/files", "a/b", {"k": b"v"}).changed
        eventually(lambda: "the API server cannot be reached" in sidecar.log)
        assert sidecar.stop() == 0


async def test_a_mistake_of_ours_is_told_and_ends_nothing() -> None:
    def broken() -> list[Definition]:
        raise KeyError("canary")

    log = RecordingLog()
    await bring_crds("apply", None, None, log, broken)
    (line,) = log.lines
    assert line[:2] == ("error", "CRDs were not looked after")
    assert "a bug (KeyError" in log.text
    assert "canary" not in log.text


def test_without_the_option_no_cluster_is_asked_for(configs: Path) -> None:
    with running_sidecar(configs) as sidecar:
        assert sidecar.stop() == 0
        assert "CRD" not in sidecar.log


def test_secrets_are_served_from_a_cluster(cluster: Cluster, configs: Path, kubeconfig: Path) -> None:
    """The whole way: a config from the directory, a kubeconfig from a file, a Secret."""
    namespace = cluster.namespace()
    spec = {"kubeconfig": manifests.from_file(kubeconfig)}
    manifests.write(configs, "KubernetesStoreConfig", "here", spec)
    with running_sidecar(configs) as sidecar, Client(sidecar.endpoint) as client:
        client.apply("KubernetesStoreConfig/here", f"{namespace}/database", {"password": b"\xff"})
        assert client.get("KubernetesStoreConfig/here", f"{namespace}/database").data == {"password": b"\xff"}
    found = cluster.api("GET", f"/api/v1/namespaces/{namespace}/secrets/database")
    assert found["data"] == {"password": "/w=="}
