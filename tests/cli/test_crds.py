"""`store-plugin crds`: printed as committed, applied to a real cluster, compared with it."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from store_plugin import __version__
from store_plugin.cli._app import cli
from tests.docs.pages import ROOT
from tests.support.kubernetes import Cluster


def crds(*arguments: str, kubeconfig: Path | None = None) -> Result:
    environ = {"KUBECONFIG": str(kubeconfig) if kubeconfig else None}
    return CliRunner().invoke(cli, ["crds", *arguments], env=environ)


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(cluster.kubeconfig()))
    return path


def test_what_is_printed_is_what_is_committed() -> None:
    printed = list(yaml.safe_load_all(crds().output))
    committed = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    assert sorted(printed, key=str) == sorted(committed, key=str)


def test_kinds_can_be_chosen() -> None:
    assert crds("VaultConfig", "StoreConfig", "-o", "name").output.split() == [
        "vaultconfigs.secrets.crossplane.io",
        "storeconfigs.secrets.crossplane.io",
    ]


def test_json_is_one_list_for_kubectl() -> None:
    document = json.loads(crds("LocalConfig", "-o", "json").output)
    assert (document["apiVersion"], document["kind"]) == ("v1", "List")
    assert [item["metadata"]["name"] for item in document["items"]] == ["localconfigs.secrets.crossplane.io"]


def test_a_provider_gets_store_config_in_its_own_group() -> None:
    result = crds("StoreConfig", "--store-configs", "gcp.crossplane.io/v1alpha1")
    document = yaml.safe_load(result.output)
    assert document["metadata"]["name"] == "storeconfigs.gcp.crossplane.io"
    assert document["spec"]["group"] == "gcp.crossplane.io"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Vault"], "no such kind: Vault; there are AWSConfig"),
        (["--store-configs", "gcp.crossplane.io"], "is written like gcp.crossplane.io/v1alpha1"),
    ],
    ids=["kind", "group"],
)
def test_wrong_usage_is_told(arguments: list[str], message: str) -> None:
    result = crds(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_they_are_applied_and_then_current(kubeconfig: Path) -> None:
    group = f"{kubeconfig.parent.name.replace('_', '-')}.example.org/v1alpha1"
    ours = ("StoreConfig", "--store-configs", group)
    before = crds("--check", *ours, kubeconfig=kubeconfig)
    assert before.exit_code == 1
    assert "missing" in before.output
    assert "1 to apply: store-plugin crds --apply" in before.output
    applied = crds("--apply", *ours, kubeconfig=kubeconfig)
    assert applied.exit_code == 0
    assert "applied" in applied.output
    after = crds("--check", *ours, kubeconfig=kubeconfig)
    assert after.exit_code == 0
    assert after.output.split()[-2:] == ["current", __version__]


def test_without_a_cluster_it_is_told_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    result = crds("--check")
    assert result.exit_code == 1
    assert "name a cluster with --kubeconfig" in result.output


def test_an_api_server_that_is_away_has_its_own_exit_code(cluster: Cluster, kubeconfig: Path) -> None:
    kubeconfig.write_text(kubeconfig.read_text().replace(cluster.address, "https://127.0.0.1:1"))
    result = crds("--check", kubeconfig=kubeconfig)
    assert result.exit_code == 3
    assert "the API server cannot be reached" in result.output
