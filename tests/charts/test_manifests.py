"""What the chart renders is taken by a real API server, and its options by the real commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin.cli.serve import serve
from store_plugin.sidecar.hub.settings import HubOptions
from store_plugin.sidecar.settings import Settings
from tests.charts.switches import NAMESPACE, SWITCHES
from tests.docs.pages import ROOT
from tests.support.helm import Manifest, kubectl, only, render
from tests.support.kubernetes import ApiError, Cluster
from tests.support.waiting import eventually


@pytest.mark.parametrize("values", SWITCHES.values(), ids=SWITCHES)
def test_an_api_server_takes_all_of_a_switch(
    prepared: Cluster, tmp_path: Path, values: dict[str, Any]
) -> None:
    made = render(values, namespace=NAMESPACE)
    if made:
        options = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
        taken = kubectl(prepared, tmp_path, *options, manifests=made)
        assert len(taken.splitlines()) == len(made)


@pytest.mark.parametrize("values", SWITCHES.values(), ids=SWITCHES)
def test_all_of_a_switch_is_labelled_as_of_the_release(values: dict[str, Any]) -> None:
    for one in render({**values, "labels": {"team": "a"}}):
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm", one
        assert labels["app.kubernetes.io/instance"] == "store-plugin"
        assert labels["team"] == "a"


def containers(value: object) -> Iterator[Manifest]:
    """Every container of ours, wherever it stands."""
    if isinstance(value, dict):
        if value.get("name") == "store-plugin" and "args" in value:
            yield value
        for inner in value.values():
            yield from containers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from containers(inner)


def rights(manifests: list[Manifest]) -> list[Any]:
    return [rule for one in manifests for rule in one.get("rules", [])]


# The commands.


@pytest.mark.parametrize("switch", ["crossplane", "standalone", "hub", "rbac-proxy"])
def test_the_options_are_those_of_the_command(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (container, *_) = containers(render(SWITCHES[switch]))
    for one in container["env"]:
        monkeypatch.setenv(one["name"], one.get("value", "10.0.0.1"))
    options = serve.make_context(container["args"][0], container["args"][1:]).params
    assert options["crds"] == "off"
    assert options["admin_listen"].startswith("127.0.0.1:")
    assert options["health_listen"].rpartition(":")[2] == str(container["livenessProbe"]["httpGet"]["port"])
    assert str(options["listen"][0].address) == "/tmp/store-plugin.sock"
    assert options["listen"][1].address.endswith(":4040")
    assert options["pod_ip"] == options["host_ip"] == "10.0.0.1"
    assert options["write_status"] == (switch != "crossplane")
    own = {name: value for name, value in options.items() if not name.startswith("hub_")}
    Settings(**own, hub=HubOptions()).check()


@pytest.mark.parametrize(
    ("switch", "auth", "listen"),
    [("hub", "tokenreview", "0.0.0.0:8443"), ("rbac-proxy", "rbac-proxy", "127.0.0.1:8444")],
)
def test_the_hub_listens_where_it_may(switch: str, auth: str, listen: str) -> None:
    (container,) = containers(render(SWITCHES[switch]))
    options = serve.make_context("serve", container["args"][1:]).params
    (address,) = options["hub_listen"]
    assert (options["hub_auth"], address.address) == (auth, listen)
    assert (options["hub_audience"], options["hub_namespace"]) == ("store-plugin-hub", NAMESPACE)
    assert options["hub_plugin_groups"] == ("stores.example.org",)


# Rights.


@pytest.mark.parametrize(
    ("switch", "file", "roles"),
    [
        ("rbac", "sidecar.yaml", ["store-plugin-sidecar"]),
        (
            "standalone",
            "standalone.yaml",
            ["store-plugin-status", "store-plugin-status-events", "store-plugin-status-lease"],
        ),
        ("hub", "plugins.yaml", ["store-plugin-hub-events"]),
    ],
)
def test_the_rights_are_those_that_were_shown_to_be_enough(switch: str, file: str, roles: list[str]) -> None:
    """tests/integration/test_roles.py shows it of the files."""
    documents = yaml.safe_load_all((ROOT / "deploy" / "rbac" / file).read_text())
    wanted = rights([one for one in documents if "crds" not in one["metadata"]["name"]])
    assert rights([one for one in render(SWITCHES[switch]) if one["metadata"]["name"] in roles]) == wanted


def test_a_plugin_may_register_its_name_and_nothing_else() -> None:
    made = [one for one in render(SWITCHES["hub"]) if one["metadata"]["name"] == "store-plugin-plugin-folder"]
    (rule,) = rights(made)
    assert rule == {
        "apiGroups": ["secrets.crossplane.io"],
        "resources": ["plugins"],
        "resourceNames": ["folder"],
        "verbs": ["register"],
    }
    assert [one["name"] for one in only(made, "RoleBinding")["subjects"]] == ["store-plugin-plugin-folder"]


def test_a_sidecar_reads_configs_and_writes_none(prepared: Cluster, tmp_path: Path) -> None:
    namespace = prepared.namespace()
    token = prepared.token(prepared.service_account(namespace, "operator"))
    account = {"namespace": namespace, "serviceAccount": "operator"}
    values = {
        "fullnameOverride": namespace,
        "rbac": {"sidecars": [account], "secrets": [{"namespace": namespace, "names": ["vault-token"]}]},
        "crds": {"enabled": False},
    }
    made = render(values)
    kubectl(prepared, tmp_path, "apply", "--server-side", manifests=made)
    try:
        configs = "/apis/secrets.crossplane.io/v1alpha1/vaultconfigs"
        eventually(lambda: allowed(prepared, "GET", configs, token))
        secret = f"/api/v1/namespaces/{namespace}/secrets"
        named = "?fieldSelector=metadata.name%3Dvault-token"
        eventually(lambda: allowed(prepared, "GET", f"{secret}{named}", token))
        assert not allowed(prepared, "POST", configs, token)
        assert not allowed(prepared, "GET", secret, token)
        assert not allowed(prepared, "POST", secret, token)
        assert not allowed(prepared, "GET", f"/api/v1/namespaces/default/secrets{named}", token)
        assert not allowed(prepared, "GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", token)
    finally:
        kubectl(prepared, tmp_path, "delete", manifests=made)


def allowed(cluster: Cluster, method: str, path: str, token: str) -> bool:
    try:
        cluster.api(method, path, {} if method == "POST" else None, token=token)
    except ApiError as error:
        return error.status != 403
    return True
