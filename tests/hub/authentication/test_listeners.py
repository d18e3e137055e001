"""Which way to know plugins is taken on which listener."""

import sys
from pathlib import Path
from typing import Any

import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.errors import ConfigInvalid, InvalidRequest
from store_plugin.hub.access import HubAccess, HubAuth, listeners
from store_plugin.hub.authentication.allowing import AllowRule
from tests.support.certificates import CertificateAuthority
from tests.support.fakes import RecordingLog

RULE = AllowRule.parse("user=name")
OWN = {"pod_ip": "10.0.0.7", "host_ip": "192.168.0.1"}
NODES = {"pod_ip": "192.168.0.1", "host_ip": "192.168.0.1"}
CERTS = {"certs_dir": Path("/certs")}
SOCKET, PATH, LOOPBACK, LOOPBACK6, ANYWHERE = (
    "unix:///@hub",
    "unix:///run/hub.sock",
    "127.0.0.1:8444",
    "[::1]:8444",
    "0.0.0.0:8443",
)


@pytest.mark.parametrize(
    ("auth", "endpoint", "more"),
    [
        pytest.param(HubAuth.NONE, SOCKET, {}, id="none, abstract"),
        pytest.param(HubAuth.NONE, PATH, NODES, id="none, path, on the node's network"),
        pytest.param(HubAuth.NONE, LOOPBACK, OWN, id="none, loopback"),
        pytest.param(
            HubAuth.NONE, SOCKET, {**NODES, "allow_host_network": True}, id="none, abstract, as asked for"
        ),
        pytest.param(HubAuth.RBAC_PROXY, LOOPBACK, OWN, id="proxy, loopback"),
        pytest.param(HubAuth.RBAC_PROXY, LOOPBACK6, OWN, id="proxy, loopback of IPv6"),
        pytest.param(HubAuth.RBAC_PROXY, "localhost:8444", OWN, id="proxy, localhost"),
        pytest.param(HubAuth.TOKENREVIEW, SOCKET, {}, id="tokens, abstract"),
        pytest.param(HubAuth.TOKENREVIEW, LOOPBACK, {}, id="tokens, loopback"),
        pytest.param(HubAuth.TOKENREVIEW, ANYWHERE, CERTS, id="tokens, TLS"),
        pytest.param(HubAuth.MTLS, ANYWHERE, CERTS, id="certificates, TLS"),
    ],
)
def test_taken(auth: HubAuth, endpoint: str, more: dict[str, Any]) -> None:
    HubAccess(auth=auth, **more).check(Endpoint.parse(endpoint))


@pytest.mark.parametrize(
    ("auth", "endpoint", "more", "why"),
    [
        pytest.param(HubAuth.NONE, ANYWHERE, {}, "anybody could register", id="none, TCP"),
        pytest.param(HubAuth.NONE, ANYWHERE, CERTS, "anybody could register", id="none, TLS"),
        pytest.param(HubAuth.NONE, SOCKET, NODES, "hostNetwork", id="none, abstract, node's network"),
        pytest.param(HubAuth.NONE, LOOPBACK, NODES, "hostNetwork", id="none, loopback, node's network"),
        pytest.param(HubAuth.NONE, SOCKET, {"allow": (RULE,)}, "needs users", id="none, with rules"),
        pytest.param(HubAuth.RBAC_PROXY, ANYWHERE, OWN, "loopback only", id="proxy, TCP"),
        pytest.param(HubAuth.RBAC_PROXY, "hub.svc:8443", OWN, "loopback only", id="proxy, a name"),
        pytest.param(HubAuth.RBAC_PROXY, SOCKET, OWN, "loopback only", id="proxy, abstract"),
        pytest.param(HubAuth.RBAC_PROXY, PATH, OWN, "loopback only", id="proxy, path"),
        pytest.param(HubAuth.RBAC_PROXY, LOOPBACK, NODES, "hostNetwork", id="proxy, node's network"),
        pytest.param(
            HubAuth.RBAC_PROXY,
            LOOPBACK,
            {**NODES, "allow_host_network": True},
            "hostNetwork",
            id="proxy, node's network, whoever asks for it",
        ),
        pytest.param(HubAuth.RBAC_PROXY, LOOPBACK, {}, "status.podIP", id="proxy, network unknown"),
        pytest.param(
            HubAuth.RBAC_PROXY, LOOPBACK, {"pod_ip": "10.0.0.7"}, "status.hostIP", id="proxy, node unknown"
        ),
        pytest.param(
            HubAuth.RBAC_PROXY, LOOPBACK, {"pod_ip": "", "host_ip": "a"}, "status.podIP", id="proxy, empty"
        ),
        pytest.param(HubAuth.TOKENREVIEW, ANYWHERE, {}, "in the clear", id="tokens, TCP"),
        pytest.param(HubAuth.MTLS, SOCKET, CERTS, "is a socket", id="certificates, abstract"),
        pytest.param(HubAuth.MTLS, LOOPBACK, {}, "needs certificates", id="certificates, without any"),
    ],
)
def test_not_taken(auth: HubAuth, endpoint: str, more: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        HubAccess(auth=auth, **more).check(Endpoint.parse(endpoint))


async def test_one_bad_listener_refuses_all() -> None:
    access = HubAccess(auth=HubAuth.MTLS, certs_dir=Path("/nowhere"))
    with pytest.raises(InvalidRequest, match="is a socket"):
        async with listeners([Endpoint.parse(SOCKET)], access, RecordingLog()):
            pass


@pytest.mark.parametrize("auth", [HubAuth.TOKENREVIEW, HubAuth.RBAC_PROXY])
async def test_where_there_is_no_cluster_the_start_fails(auth: HubAuth, tmp_path: Path) -> None:
    access = HubAccess(auth=auth, kubeconfig=tmp_path / "none", pod_ip="a", host_ip="b")
    with pytest.raises(ConfigInvalid, match="kubeconfig"):
        async with listeners([Endpoint.parse(LOOPBACK)], access, RecordingLog()):
            pass


async def test_without_the_library_the_start_fails_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.aio.client", None)
    with pytest.raises(InvalidRequest, match=r"install 'store-plugin\[kubernetes\]'"):
        async with listeners([Endpoint.parse(SOCKET)], HubAccess(auth=HubAuth.TOKENREVIEW), RecordingLog()):
            pass


async def test_with_rules_of_its_own_a_hub_behind_the_proxy_needs_no_cluster(tmp_path: Path) -> None:
    access = HubAccess(
        auth=HubAuth.RBAC_PROXY, kubeconfig=tmp_path / "none", pod_ip="a", host_ip="b", allow=(RULE,)
    )
    async with listeners([Endpoint.parse(LOOPBACK)], access, RecordingLog()) as found:
        assert [str(listener.endpoint) for listener in found] == [LOOPBACK]


async def test_only_tls_makes_a_stream_over_tcp_private(tmp_path: Path, ca: CertificateAuthority) -> None:
    certs = ca.server().write(tmp_path)
    reviewed = HubAccess(auth=HubAuth.MTLS, certs_dir=certs)
    async with listeners([Endpoint.parse(LOOPBACK)], reviewed, RecordingLog()) as found:
        assert [listener.private for listener in found] == [True]
    proxied = HubAccess(auth=HubAuth.RBAC_PROXY, certs_dir=certs, pod_ip="a", host_ip="b", allow=(RULE,))
    async with listeners([Endpoint.parse(LOOPBACK)], proxied, RecordingLog()) as found:
        assert [listener.private for listener in found] == [False]
