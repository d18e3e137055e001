"""Who may connect to a sidecar's hub, as a real API server says: with tokens that the sidecar
reviews, and through the proxy; and the Events that tell of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from store_plugin.plugin import Plugin
from tests.hub.authentication.cluster import (
    CONNECTING,
    documented_flags,
    for_hub,
    kubeconfig,
    registering,
    reviewer,
)
from tests.hub.conftest import running
from tests.integration.test_roles import manifests_of
from tests.support.certificates import CertificateAuthority
from tests.support.echo import Echo, add_echo
from tests.support.fakes import RecordingLog
from tests.support.kubernetes import Cluster
from tests.support.ports import free_port
from tests.support.rbac_proxy import rbac_proxy
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import until

POD = "operator-0"


@dataclass(frozen=True)
class House:
    """A namespace with the sidecar's ServiceAccount, and one that may register `vault`."""

    cluster: Cluster
    directory: Path
    namespace: str
    user: str
    plugin: str
    kubeconfig: Path

    @contextmanager
    def sidecar(self, *arguments: str) -> Iterator[SidecarProcess]:
        """Its hub asks the cluster as its ServiceAccount, and tells it of its Pod."""
        pod = ("--pod-name", POD, "--pod-namespace", self.namespace, "--pod-uid", "uid")
        asking = ("--kubeconfig", str(self.kubeconfig), "--hub-namespace", self.namespace)
        with running_sidecar(self.directory / "configs", *asking, *pod, *arguments) as sidecar:
            yield sidecar

    def event(self, reason: str, plugin: str) -> dict[str, Any]:
        """That of the Pod about a plugin; nothing where there is none."""
        query = f"fieldSelector=involvedObject.name={POD},involvedObject.uid=uid,reason={reason}"
        found = self.cluster.api("GET", f"/api/v1/namespaces/{self.namespace}/events?{query}")["items"]
        return next((one for one in found if one["message"].startswith(f"plugin {plugin} ")), {})


@pytest.fixture
def house(cluster: Cluster, tmp_path: Path) -> House:
    namespace = cluster.namespace()
    user, plugin = reviewer(cluster, namespace, name="operator"), cluster.service_account(namespace, "vault")
    for manifest in manifests_of("plugins.yaml", namespace, "operator"):
        cluster.apply(manifest)
    cluster.allow(plugin, [registering("vault")], namespace)
    (tmp_path / "configs").mkdir()
    file = kubeconfig(cluster, user, tmp_path / "kubeconfig")
    return House(cluster, tmp_path, namespace, user, plugin, file)


async def visited(
    name: str, endpoint: str, heard: Callable[[RecordingLog], object], **options: Any
) -> RecordingLog:
    """The log of a plugin that tries to come in until a condition holds."""
    log = RecordingLog()
    plugin = Plugin(name, "1.0", instance_id="one", log=log)
    add_echo(Echo(), plugin)
    async with running(plugin, endpoint, **options):
        await until(lambda: heard(log), within=30)
    return log


def told(sidecar: SidecarProcess, event: str, **fields: str) -> bool:
    lines = (json.loads(line) for line in sidecar.log.splitlines() if line.startswith("{"))
    return any({**line, **fields, "event": event} == line for line in lines)


async def test_a_sidecar_reviews_tokens_and_tells_its_pod(house: House, ca: CertificateAuthority) -> None:
    """On a socket, and over TLS."""
    hub, address = f"unix://{house.directory}/hub.sock", f"127.0.0.1:{free_port()}"
    certs = ca.server().write(house.directory / "certs")
    token = for_hub(house.cluster, house.plugin)
    listening = ("--hub-listen", hub, "--hub-listen", address, "--hub-certs-dir", str(certs))
    listening += ("--hub-auth", "tokenreview")
    with house.cluster.recorded(house.user) as requests, house.sidecar(*listening) as sidecar:
        over_tls = {"ca": certs / "ca.crt"}
        for round_, endpoint, options in ((1, hub, {}), (2, f"https://{address}", over_tls)):
            connected = lambda _: house.event("PluginReady", "vault").get("count") == round_  # noqa: B023, E731
            await visited("vault", endpoint, connected, token=token, **options)
        refused = await visited("aws", hub, lambda log: "PLUGIN_REFUSED" in log.text, token=token)
        assert "it needs the verb register on plugins.secrets.crossplane.io/aws" in refused.text
        unknown = await visited("vault", hub, lambda log: "PLUGIN_REFUSED" in log.text, token="nonsense")
        assert "the token is not valid here" in unknown.text
        assert told(sidecar, "plugin connected", plugin="vault", user=house.plugin)
        await until(lambda: house.event("PluginRefused", "aws"), within=30)
        assert "cannot be written" not in sidecar.log
        assert token not in sidecar.log
    came = house.event("PluginConnected", "vault")
    assert came["message"].endswith(f"has connected as {house.plugin}")
    assert house.event("PluginRefused", "aws")["type"] == "Warning"
    assert {(one.resource, one.verb) for one in requests} == {
        ("tokenreviews", "create"),
        ("subjectaccessreviews", "create"),
        ("events", "create"),
        ("events", "patch"),
    }


async def test_a_sidecar_behind_the_proxy_knows_whom_that_let_through(
    house: House, ca: CertificateAuthority
) -> None:
    address = f"127.0.0.1:{free_port()}"
    house.cluster.allow(house.plugin, [CONNECTING])
    listening = ("--hub-listen", address, "--hub-auth", "rbac-proxy")
    pod = ("--pod-ip", "10.0.0.7", "--host-ip", "192.168.0.1")
    with (
        rbac_proxy(house.directory, ca.server(), house.kubeconfig, address, documented_flags()) as proxy,
        house.sidecar(*listening, *pod) as sidecar,
    ):
        options = {"ca": house.directory / "proxy" / "ca.crt", "server_name": "localhost"}
        options["token"] = for_hub(house.cluster, house.plugin)
        endpoint = f"https://{proxy.address}"
        await visited("vault", endpoint, lambda _: told(sidecar, "plugin connected"), **options)
        assert told(sidecar, "plugin connected", plugin="vault", user=house.plugin)
        await visited("aws", endpoint, lambda log: "PLUGIN_REFUSED" in log.text, **options)
        assert told(sidecar, "plugin refused", plugin="aws", user=house.plugin)
        past_the_proxy = await visited("vault", address, lambda log: "PLUGIN_REFUSED" in log.text)
        assert "--auth-header-fields-enabled" in past_the_proxy.text
        assert "x-remote-user" in sidecar.log
