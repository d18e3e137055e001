"""docs/install.md, run as it stands: each of the ways, by the real Helm on a real API server."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import RUNTIME_CONFIG
from tests.docs.pages import DOCS, ROOT, blocks_of, section
from tests.support.certificates import CertificateAuthority
from tests.support.console import Step, steps
from tests.support.kubernetes import Cluster, control_plane
from tests.support.tools import tool
from tests.support.waiting import eventually

# Each way is many commands, and the first one starts a cluster.
pytestmark = pytest.mark.timeout(300)

INSTALL = DOCS / "install.md"
WAYS = {
    "By a label": "store-plugin",
    "By an include": "store-plugin",
    "In Crossplane's Pods": "crossplane-system",
    "Standalone": "crossplane-system",
}
"""And the namespace of the release in each."""
CLEARED = (
    "kubectl delete --ignore-not-found --filename examples/configs/vault-kubernetes.yaml",
    "for place in store-plugin default crossplane-system; do"
    " helm uninstall store-plugin operator --ignore-not-found --namespace $place; done",
)
TAKEN = (
    "kubectl annotate customresourcedefinitions --all --overwrite"
    " meta.helm.sh/release-name=store-plugin meta.helm.sh/release-namespace={place}",
    "kubectl label customresourcedefinitions --all --overwrite app.kubernetes.io/managed-by=Helm",
)
"""Kinds stay, and belong to the release of the way before: to delete them takes minutes."""
CROSSPLANES = (
    "kubectl apply --filename charts/store-plugin/files/crds/storeconfigs.yaml",
    "kubectl wait --for condition=Established customresourcedefinition/storeconfigs.secrets.crossplane.io",
)
"""A kind that is there where Crossplane is, and that the ways into it do not bring."""
CROSSPLANE: dict[str, Any] = {
    "selector": {"matchLabels": {"app": "crossplane"}},
    "template": {
        "metadata": {"labels": {"app": "crossplane"}},
        "spec": {"containers": [{"name": "crossplane", "image": "crossplane"}]},
    },
}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Cluster]:
    """A cluster of its own, which has nothing of ours, and of Crossplane's what the ways touch."""
    with control_plane(tmp_path_factory.mktemp("install"), ca) as cluster:
        for name in ("crossplane-system", "vault-system"):
            cluster.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        crossplane = {"metadata": {"name": "crossplane"}, "spec": CROSSPLANE}
        cluster.api("POST", "/apis/apps/v1/namespaces/crossplane-system/deployments", crossplane)
        cluster.define(RUNTIME_CONFIG)
        yield cluster


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, fresh: Cluster) -> Path:
    """What the commands use of the repository, and the two programs."""
    directory = tmp_path_factory.mktemp("checkout")
    for name in ("charts", "examples"):
        shutil.copytree(ROOT / name, directory / name)
    (directory / "bin").mkdir()
    for name in ("helm", "kubectl"):
        (directory / "bin" / name).symlink_to(tool(name))
    (directory / "kubeconfig").write_text(yaml.safe_dump(fresh.kubeconfig()))
    return directory


@pytest.fixture(scope="module")
def environ(checkout: Path) -> dict[str, str]:
    """What the commands see."""
    path = f"{checkout}/bin:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(checkout), "KUBECONFIG": str(checkout / "kubeconfig")}


@pytest.fixture
def way(request: pytest.FixtureRequest, checkout: Path, environ: dict[str, str]) -> Iterator[str]:
    """A way, with what is left of the one before cleared: as on a cluster that nothing was brought into."""
    place = WAYS[request.param]
    for command in [*(CROSSPLANES if place == "crossplane-system" else ()), *TAKEN]:
        Step(command.format(place=place), "").ran(checkout, environ)
    yield request.param
    for command in CLEARED:
        Step(command, "").ran(checkout, environ)


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_a_way_leads_where_the_document_says(way: str, checkout: Path, environ: dict[str, str]) -> None:
    shown = [step for block in blocks_of(section(INSTALL, way), "console") for step in steps(block)]
    assert shown
    for step in shown:
        assert step.shows(said := settled(step, checkout, environ)), f"$ {step.command}\n{said}"


def settled(step: Step, checkout: Path, environ: dict[str, str]) -> str:
    """What a command says once policies are in force, which takes some seconds after they were made."""
    said = ""

    def in_force() -> bool:
        nonlocal said
        said = step.ran(checkout, environ)
        return "not in force" not in said

    eventually(in_force, 60)
    return said
