"""`store-plugin kinds`: what is installed, and what to install."""

import json
from importlib.metadata import PackageNotFoundError

import pytest
from click.testing import CliRunner

from store_plugin.cli import _extras
from store_plugin.cli._app import cli


def test_kinds_are_listed_with_api_version_and_store() -> None:
    result = CliRunner().invoke(cli, ["kinds", "-o", "json"])
    rows = {row["kind"]: row for row in json.loads(result.output)}
    api_version = "secrets.crossplane.io/v1alpha1"
    assert rows["LocalConfig"] == {
        "kind": "LocalConfig",
        "apiVersion": api_version,
        "store": "stores.local",
        "missing": None,
    }
    assert rows["VaultConfig"]["store"] == "stores.vault"


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def distribution(name: str) -> object:
        if name == "hvac":
            raise PackageNotFoundError(name)
        return object()

    monkeypatch.setattr(_extras, "distribution", distribution)
    rows = json.loads(CliRunner().invoke(cli, ["kinds", "-o", "json"]).output)
    assert {row["kind"]: row["missing"] for row in rows} == {
        "AWSConfig": None,
        "KubernetesStoreConfig": None,
        "LocalConfig": None,
        "VaultConfig": "store-plugin[vault]",
    }
    assert "pip install 'store-plugin[vault]'" in CliRunner().invoke(cli, ["kinds"]).output
