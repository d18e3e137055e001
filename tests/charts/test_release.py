"""A release by the real Helm on a real API server: installed, upgraded, and gone again."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin import __version__
from tests.charts.switches import IMAGE, SECRETS, SIDECARS, SWITCHES
from tests.docs.pages import ROOT, blocks
from tests.support.helm import CHART, POLICIES, Refused, helm
from tests.support.kubernetes import ApiError, Cluster
from tests.support.waiting import eventually

Helm = Callable[..., str]
VAULT = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vaultconfigs.secrets.crossplane.io"


@pytest.fixture
def namespace(prepared: Cluster) -> str:
    return prepared.namespace()


@pytest.fixture
def release(installed: Cluster, namespace: str, tmp_path: Path) -> Iterator[Helm]:
    """`helm COMMAND NAME …` in a namespace; the release is gone at the end."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(installed.kubeconfig()))

    def run(command: str, *arguments: str, values: dict[str, Any] | None = None) -> str:
        place = (f"--kubeconfig={kubeconfig}", f"--namespace={namespace}")
        return helm(command, namespace, *arguments, *place, values=values)

    yield run
    try:
        run("uninstall", "--ignore-not-found")
    except Refused as error:
        raise AssertionError(f"the release is still there: {error}") from error


def test_kinds_and_what_is_written_in_them_outlive_the_release(
    installed: Cluster, namespace: str, release: Helm
) -> None:
    values = {**IMAGE, "rbac": {"sidecars": [{"namespace": namespace, "serviceAccount": "operator"}]}}
    release("install", str(CHART), "--take-ownership", values=values)
    owner = installed.api("GET", VAULT)["metadata"]["annotations"]["meta.helm.sh/release-name"]
    assert owner == namespace
    release("upgrade", str(CHART), values={**values, "standalone": {"enabled": True}})
    deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments/{namespace}"
    assert installed.api("GET", deployment)["spec"]["replicas"] == 2
    role = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{namespace}-sidecar"
    assert not gone(installed, role)
    release("rollback")
    eventually(lambda: gone(installed, deployment))
    assert installed.api("GET", VAULT)["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    release("uninstall")
    eventually(lambda: gone(installed, role))
    assert installed.api("GET", VAULT)["status"]["acceptedNames"]["kind"] == "VaultConfig"


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """This chart, as a later version of it would be called."""
    chart = tmp_path / CHART.name
    shutil.copytree(CHART, chart)
    for file in chart.rglob("Chart.yaml"):
        file.write_text(file.read_text().replace(__version__, "99.0.0"))
    return chart


def test_a_later_version_changes_nothing_that_cannot_be_changed(
    installed: Cluster, namespace: str, release: Helm, later: Path
) -> None:
    """Such as the labels that a Deployment chooses its Pods by."""
    values = {**SWITCHES["hub"], "crds": {"enabled": False}, "publisher": {"enabled": True}}
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"

    def images() -> set[str]:
        made = [one["spec"]["template"]["spec"] for one in installed.api("GET", deployments)["items"]]
        found = [container for spec in made for container in spec["containers"]]
        return {one["image"].rpartition(":")[2] for one in found if one["name"] != "plugin"}

    release("install", str(CHART), values=values)
    assert images() == {__version__}
    release("upgrade", str(later), values=values)
    assert images() == {"99.0.0"}
    release("rollback")
    assert images() == {__version__}


def test_two_releases_share_no_object() -> None:
    values = {**SWITCHES["rbac-proxy"], "crds": {"enabled": False}, "injection": {"enabled": True}}
    values |= {"publisher": {"enabled": True}, "rbac": {"sidecars": SIDECARS, "secrets": SECRETS}}
    offline = f"--api-versions={POLICIES}"

    def names(name: str) -> set[tuple[str, ...]]:
        text = helm("template", name, str(CHART), offline, values=values)
        about = [(one["kind"], one["metadata"]) for one in yaml.safe_load_all(text) if one]
        return {(kind, metadata.get("namespace", ""), metadata["name"]) for kind, metadata in about}

    assert len(names("one")) > 25
    assert names("one").isdisjoint(names("two"))


def test_kinds_of_others_are_taken_over_where_that_is_asked_for(installed: Cluster, release: Helm) -> None:
    """As those of ess-plugin-vault, which are not the same."""
    path = next((CHART / "files" / "crds").glob("vaultconfigs.yaml"))
    crd = yaml.safe_load(path.read_text())
    version = crd["spec"]["versions"][0]
    columns, version["additionalPrinterColumns"] = version["additionalPrinterColumns"], []
    installed.apply(crd, "others")
    with pytest.raises(Refused, match="conflict"):
        release("install", str(CHART), "--take-ownership")
    release("uninstall")
    release("install", str(CHART), "--take-ownership", "--force-conflicts")
    assert installed.api("GET", VAULT)["spec"]["versions"][0]["additionalPrinterColumns"] == columns


def gone(cluster: Cluster, path: str) -> bool:
    try:
        cluster.api("GET", path)
    except ApiError as error:
        return error.status == 404
    return False


def test_kinds_of_others_are_not_taken_without_being_told(release: Helm) -> None:
    with pytest.raises(Refused, match="invalid ownership metadata"):
        release("install", str(CHART))


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        pytest.param("crds", ["kubectl explain vaultconfig.spec"], id="crds"),
        pytest.param("rbac", ["kubectl get store"], id="rbac"),
        pytest.param("injection", ["secrets.crossplane.io/inject: default"], id="injection"),
        pytest.param(
            "crossplane",
            ["configmap store-plugin-crossplane", "runtimeConfigRef.name: store-plugin"],
            id="crossplane",
        ),
        pytest.param("standalone", ["store-plugin.{}:4040", "exec deployment/store-plugin"], id="standalone"),
        pytest.param("hub", ["https://store-plugin-hub.{}.svc:8443"], id="hub"),
        pytest.param("publisher", ["secrets.crossplane.io/publish-to: STORECONFIG"], id="publisher"),
    ],
)
def test_the_notes_tell_what_to_do_next(release: Helm, namespace: str, switch: str, words: list[str]) -> None:
    values = {"fullnameOverride": "store-plugin", **SWITCHES[switch]}
    options = ("--dry-run=server", "--take-ownership", "--output=json")
    notes = json.loads(release("install", str(CHART), *options, values=values))["info"]["notes"]
    assert all(word.format(namespace) in notes for word in words), notes


COMMANDS = [
    command.replace("\\\n", " ")
    for block in blocks(CHART / "README.md", "console")
    for command in re.findall(r"^\$ (helm (?:[^\n]|\\\n)+?)$(?!\n  )", block, re.MULTILINE)
]


def test_commands_of_the_page_are_found() -> None:
    assert len(COMMANDS) == 2


@pytest.mark.parametrize("command", COMMANDS, ids=["injection", "standalone"])
def test_an_installation_of_the_page_is_taken(prepared: Cluster, tmp_path: Path, command: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(prepared.kubeconfig()))
    program, install, name, chart, *options = shlex.split(command)
    assert (program, ROOT / chart) == ("helm", CHART)
    dry = ("--dry-run=server", "--take-ownership", f"--kubeconfig={kubeconfig}")
    assert "STATUS: pending-install" in helm(install, name, str(CHART), *options, *dry)


def test_the_notes_say_that_nobody_may_read_yet(release: Helm) -> None:
    options = ("--dry-run=server", "--take-ownership", "--output=json")
    notes = json.loads(release("install", str(CHART), *options))["info"]["notes"]
    assert "Nobody may read store configs yet" in notes
