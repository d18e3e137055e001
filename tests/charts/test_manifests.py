"""What the chart renders is taken by a real API server, and its options by the real commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store_plugin.cli.publisher import publisher
from store_plugin.cli.serve import serve
from store_plugin.sidecar.hub.settings import HubOptions
from store_plugin.sidecar.settings import Settings, host_and_port
from tests.charts.switches import IMAGE, NAMESPACE, SWITCHES
from tests.support.helm import Manifest, kubectl, only, render
from tests.support.kubernetes import Cluster


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
    for one in render(values):
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm", one
        assert labels["app.kubernetes.io/instance"] == "store-plugin"


def test_labels_of_the_user_are_on_everything() -> None:
    made = render({**SWITCHES["hub"], "labels": {"team": "a"}})
    assert {one["metadata"]["labels"]["team"] for one in made} == {"a"}


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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, {"namespaces": (), "default_store_config": None}, id="as it comes"),
        pytest.param(
            {"namespaces": ["a", "b"], "defaultStoreConfig": "{namespace}", "deletionPolicy": "Delete"},
            {"namespaces": ("a", "b"), "default_store_config": "{namespace}", "deletion_policy": "Delete"},
            id="all that can be said",
        ),
        pytest.param(
            {"sidecar": {"clientToken": {"secretName": "client"}}},
            {"token_file": Path("/var/run/store-plugin-client/token")},
            id="token of its sidecar",
        ),
    ],
)
def test_the_options_of_the_publisher_are_those_of_the_command(
    values: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = only(render({**IMAGE, "publisher": {"enabled": True, **values}}), "Deployment")
    (container,) = made["spec"]["template"]["spec"]["containers"]
    command, *arguments = container["args"]
    assert command == "publisher"
    options = publisher.make_context(command, arguments).params
    assert {name: options[name] for name in expected} == expected
    assert host_and_port(options["admin_listen"]) == (
        "0.0.0.0",
        container["livenessProbe"]["httpGet"]["port"],
    )
