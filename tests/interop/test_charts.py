"""The sidecar as the chart starts it, under the rights that the chart gives: it serves Crossplane's
own client, or an operator's, and each right is enough."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store_plugin.client import Client
from store_plugin.errors import ConfigInvalid
from tests.charts.switches import IMAGE
from tests.hub.authentication.cluster import for_hub
from tests.integration.place import Place
from tests.integration.status_of import conditions
from tests.sidecar.hub.test_cluster_access import told, visited
from tests.support.certificates import CertificateAuthority
from tests.support.crossplane import CrossplaneAuthority
from tests.support.crossplane_client import crossplane_client
from tests.support.helm import Manifest, kubectl, render
from tests.support.injection import injecting, pod
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao
from tests.support.pod import sidecar_in_pod
from tests.support.ports import free_port
from tests.support.waiting import eventually

CROSSPLANE = "crossplane-system"
STANDALONE = {"enabled": True, "serviceAccount": {"name": "sidecar"}}
_ADDRESSES = ("--listen", "--admin-listen", "--health-listen", "--hub-listen", "--hub-certs-dir")


@pytest.fixture
def place(installed: Cluster, bao: OpenBao, tmp_path: Path) -> Iterator[Place]:
    """An account without rights, and a VaultConfig whose token is in a Secret."""
    made = Place(installed, bao, tmp_path)
    for binding in made.bindings:
        installed.take_back(binding)
    yield made
    made.delete()


def installed_chart(place: Place, **values: Any) -> list[Manifest]:
    """All of a release but its Pods and kinds, in the cluster."""
    account = {"namespace": place.namespace, "serviceAccount": account_of(place)}
    rights = {
        "sidecars": [account],
        "secrets": [{"namespace": place.namespace, "names": ["vault-token"]}],
    }
    release = {
        **IMAGE,
        "fullnameOverride": place.namespace,
        "rbac": rights,
        "crds": {"enabled": False},
        **values,
    }
    made = render(release, namespace=place.namespace)
    roles = [one for one in made if "rbac" in one["apiVersion"]]
    kubectl(place.cluster, place.directory, "apply", "--server-side", manifests=roles)
    return made


def options_of(container: Manifest) -> list[str]:
    """What a container is started with besides its addresses, which are the test's own."""
    command, *options = container["args"]
    assert command == "serve"
    return [option for option in options if not option.startswith(_ADDRESSES)]


def sidecar_of(manifests: list[Manifest], kind: str) -> Manifest:
    specs = (one["spec"] for one in manifests if one["kind"] == kind)
    pods = (spec.get("deploymentTemplate", {"spec": spec})["spec"]["template"]["spec"] for spec in specs)
    (found,) = (one for pod in pods for one in pod["containers"] if one["name"] == "store-plugin")
    return dict(found)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        pytest.param("DeploymentRuntimeConfig", {"crossplane": {"enabled": True}}, id="crossplane"),
        pytest.param(
            "Deployment",
            {"standalone": STANDALONE},
            id="standalone",
        ),
    ],
)
def test_crossplane_publishes_through_the_sidecar_of_the_chart(
    place: Place, kind: str, values: dict[str, Any]
) -> None:
    container = sidecar_of(installed_chart(place, **values), kind)
    authority = CrossplaneAuthority()
    certs = authority.server(CROSSPLANE).write(place.directory / "certs")
    caller = authority.client(f"crossplane.{CROSSPLANE}").write(place.directory / "caller")
    options = [*options_of(container), "--certs-dir", str(certs)]
    listen = [f"127.0.0.1:{free_port()}", str(place.directory / "socket")]
    with (
        sidecar_in_pod(place.cluster, place.user, place.directory, *options, listen=listen) as sidecar,
        crossplane_client(sidecar.endpoint, f"ess.{CROSSPLANE}", caller, place.reference) as crossplane,
    ):
        assert crossplane.write("db", {"user": b"admin"}, owner="uid-1", scope="team-a").error == ""
        assert crossplane.read("db", scope="team-a").data == {"user": b"admin"}
        if "--write-status" in options:
            eventually(lambda: conditions(place).keys() == {"Ready", "Synced"}, 30)
    assert "cannot be written" not in sidecar.log


def test_an_operator_publishes_through_an_injected_sidecar(place: Place) -> None:
    installed_chart(place)
    with injecting(place.cluster, place.directory, {"default": {}}) as policies:
        (container,) = policies.admitted(pod("default"))["initContainers"]
    options = options_of(container)
    with (
        sidecar_in_pod(place.cluster, place.user, place.directory, *options) as sidecar,
        Client(sidecar.endpoint) as client,
    ):
        assert client.apply(place.reference, "team-a/db", {"user": b"admin"}).changed
        assert "store_plugin_config_problems 0.0" in sidecar.http("/metrics")


def test_a_tenant_does_not_reach_the_store_of_another(place: Place, bao: OpenBao) -> None:
    other = Place(place.cluster, bao, place.directory)
    for binding in other.bindings:
        place.cluster.take_back(binding)
    tenants = [{"namespace": one.namespace, "serviceAccount": account_of(one)} for one in (place, other)]
    secrets = [
        {"namespace": one["namespace"], "names": ["vault-token"], "sidecars": [one]} for one in tenants
    ]
    installed_chart(place, rbac={"sidecars": tenants, "secrets": secrets})
    try:
        with (
            sidecar_in_pod(place.cluster, place.user, place.directory) as sidecar,
            Client(sidecar.endpoint) as client,
        ):
            assert client.apply(place.reference, "team-a/db", {"user": b"admin"}).changed
            with pytest.raises(ConfigInvalid, match="this ServiceAccount may not list Secret"):
                client.get(other.reference, "team-b/db")
            assert "store_plugin_config_problems 1.0" in sidecar.http("/metrics")
    finally:
        other.delete()


def account_of(place: Place) -> str:
    """The ServiceAccount that the place's sidecar runs as."""
    return place.user.rpartition(":")[2]


async def test_a_plugin_of_the_chart_registers_its_name_and_no_other(
    place: Place, ca: CertificateAuthority
) -> None:
    hub = {"enabled": True, "pluginGroups": ["stores.example.org"]}
    made = installed_chart(place, standalone=STANDALONE, hub=hub, plugins={"folder": {"image": "folder"}})
    user = place.cluster.service_account(place.namespace, f"{place.namespace}-plugin-folder")
    certs = ca.server("127.0.0.1").write(place.directory / "hub")
    address = f"127.0.0.1:{free_port()}"
    options = [
        *options_of(sidecar_of(made, "Deployment")),
        "--hub-listen",
        address,
        "--hub-certs-dir",
        str(certs),
    ]
    options += ["--pod-name", "store-plugin-0", "--pod-namespace", place.namespace, "--pod-uid", "uid"]
    showing = {"token": for_hub(place.cluster, user), "ca": certs / "ca.crt"}
    socket = [str(place.directory / "socket")]
    with sidecar_in_pod(place.cluster, place.user, place.directory, *options, listen=socket) as sidecar:
        await visited("folder", f"https://{address}", lambda _: told(sidecar, "plugin connected"), **showing)
        assert told(sidecar, "plugin connected", plugin="folder", user=user)
        await visited("other", f"https://{address}", lambda log: "PLUGIN_REFUSED" in log.text, **showing)
        events = f"/api/v1/namespaces/{place.namespace}/events?fieldSelector=reason=PluginRefused"
        eventually(lambda: place.cluster.api("GET", events)["items"], 30)
