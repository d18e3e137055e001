"""`store-plugin config check --kubernetes`: the same of a real cluster."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from click.testing import CliRunner, Result

from store_plugin.cli._app import cli
from tests.support.kubernetes import Cluster
from tests.support.manifests import manifest, new_key

OPEN = {"access": [{"scopes": ["*"]}]}


class Place:
    """A cluster in which LocalConfigs come and go, and a kubeconfig for it."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self.namespace = cluster.namespace()
        self.kubeconfig = directory / "kubeconfig"
        self.use_token()
        self.names: list[str] = []

    def use_token(self, **token: str) -> None:
        self.kubeconfig.write_text(yaml.safe_dump(self.cluster.kubeconfig(**token)))

    def secret(self, key: str = "key") -> None:
        data = {key: b64encode(new_key().encode()).decode()}
        metadata = {"name": "login", "namespace": self.namespace}
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    def local(self, **spec: Any) -> str:
        name = f"check-{uuid4().hex[:8]}"
        reference = {"namespace": self.namespace, "name": "login", "key": "key"}
        key = {"source": "Secret", "secretRef": reference}
        whole = {"path": str(self.directory / f"{name}.db"), "key": key, **OPEN, **spec}
        self.cluster.apply(manifest("LocalConfig", name, whole))
        self.names.append(name)
        return name

    def check(self, *options: str) -> Result:
        command = ["config", "check", "--kubernetes", "--kubeconfig", str(self.kubeconfig), *options]
        return CliRunner().invoke(cli, command)


@pytest.fixture
def place(installed: Cluster, tmp_path: Path) -> Iterator[Place]:
    made = Place(installed, tmp_path)
    yield made
    for name in made.names:
        installed.api("DELETE", f"/apis/secrets.crossplane.io/v1alpha1/localconfigs/{name}")


def test_sound_configs_end_with_zero_and_their_stores_are_asked(place: Place) -> None:
    place.secret()
    place.directory.chmod(0o700)
    name = place.local()
    result = place.check("--connect")
    assert (result.exit_code, result.output) == (
        0,
        f"ok      LocalConfig/{name}\n1 config, 0 errors, 0 warnings\n",
    )


def test_what_is_wrong_is_told_by_config(place: Place) -> None:
    place.secret("another")
    lacking, everyone = place.local(), place.local(access=[])
    result = place.check("-o", "json")
    told = json.loads(result.output)
    assert (result.exit_code, told["configs"]) == (1, 2)
    messages = {finding["where"]: finding["message"] for finding in told["findings"]}
    assert f"the Secret {place.namespace}/login has no key key" in messages[f"LocalConfig/{lacking}"]
    assert "every caller may use every scope" in messages[f"LocalConfig/{everyone}"]


def test_a_missing_secret_is_told(place: Place) -> None:
    place.local()
    result = place.check()
    assert f"the Secret {place.namespace}/login does not exist in the cluster" in result.output


def test_rights_that_are_missing_are_told_with_what_to_add(place: Place) -> None:
    place.local()
    user = place.cluster.service_account(place.namespace)
    place.use_token(token=place.cluster.token(user))
    result = place.check()
    assert result.exit_code == 1
    assert "this ServiceAccount may not list LocalConfigs: add list and watch to its role" in result.output
    rule = {"apiGroups": ["secrets.crossplane.io"], "resources": ["*"], "verbs": ["list"]}
    place.cluster.allow(user, [rule])
    result = place.check()
    assert f"may not list Secret {place.namespace}/login: add list and watch" in result.output


def test_a_cluster_that_does_not_answer_is_not_reachable(place: Place) -> None:
    place.kubeconfig.write_text(
        place.kubeconfig.read_text().replace(place.cluster.address, "https://127.0.0.1:1")
    )
    result = place.check()
    assert result.exit_code == 3
    assert "the API server gave no answer" in result.output


@pytest.mark.parametrize("arguments", [[], [".", "--kubernetes"]], ids=["neither", "both"])
def test_a_directory_or_a_cluster_is_checked(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, ["config", "check", *arguments])
    assert result.exit_code == 2
    assert "name a directory, or pass --kubernetes" in result.output
