"""Plugins that come through an HTTP/2 proxy which asks a real API server, stream by stream."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from store_plugin.hub.access import HubAccess, HubAuth
from store_plugin.hub.authentication.allowing import AllowRule
from store_plugin.hub.events import EventKind
from store_plugin.hub.settings import HubSettings
from store_plugin.stream import frames
from tests.hub.authentication.cluster import (
    CONNECTING,
    documented_flags,
    for_hub,
    kubeconfig,
    registering,
    reviewer,
    signed_token,
)
from tests.hub.authentication.conftest import OpenHub, Visit, WatchedHub
from tests.hub.conftest import FOR_EVER
from tests.support.certificates import CertificateAuthority
from tests.support.echo import EchoStub, Held
from tests.support.kubernetes import Cluster
from tests.support.ports import free_port
from tests.support.rbac_proxy import RbacProxy, rbac_proxy
from tests.support.waiting import until

CUT_AFTER = 2
QUIET_SECONDS = 120


@dataclass(frozen=True)
class Gate:
    """A proxy before a hub's listener, and a ServiceAccount that it lets through, as `vault`."""

    cluster: Cluster
    namespace: str
    upstream: str
    proxy: RbacProxy
    plugin: str
    ca: CertificateAuthority
    ca_file: Path
    access: HubAccess

    def options(self, **more: Any) -> dict[str, Any]:
        """Of a plugin that connects through the proxy."""
        return {"ca": self.ca_file, "token": for_hub(self.cluster, self.plugin), **more}

    @property
    def endpoint(self) -> str:
        return f"https://{self.proxy.address}"

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(self.proxy.address, grpc.ssl_channel_credentials(self.ca.pem))


OpenGate = Callable[..., Gate]


@pytest.fixture
def open_gate(cluster: Cluster, tmp_path: Path, ca: CertificateAuthority) -> Iterator[OpenGate]:
    """A gate with the documented flags, and those in `more`."""
    with ExitStack() as stack:

        def start(*more: str) -> Gate:
            namespace = cluster.namespace()
            file = kubeconfig(cluster, reviewer(cluster, namespace), tmp_path / "kubeconfig")
            plugin = cluster.service_account(namespace, "vault")
            cluster.allow(plugin, [registering("vault")], namespace)
            cluster.allow(plugin, [CONNECTING])
            upstream, server = f"127.0.0.1:{free_port()}", ca.server()
            proxy = stack.enter_context(
                rbac_proxy(tmp_path, server, file, upstream, [*documented_flags(), *more])
            )
            access = HubAccess(
                auth=HubAuth.RBAC_PROXY,
                kubeconfig=file,
                namespace=namespace,
                pod_ip="10.0.0.7",
                host_ip="192.168.0.1",
            )
            ca_file = tmp_path / "proxy" / "ca.crt"
            return Gate(cluster, namespace, upstream, proxy, plugin, ca, ca_file, access)

        yield start


@pytest.fixture
def gate(open_gate: OpenGate) -> Gate:
    return open_gate()


async def test_a_plugin_comes_in_as_whom_the_proxy_found(gate: Gate, open_hub: OpenHub, visit: Visit) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    await visit("vault", gate.endpoint, **gate.options())
    await until(hub.hub.registry.entries)
    assert await hub.say("vault", b"hello") == b"hello"
    (entry,) = hub.hub.registry.entries()
    assert entry.peer.identity.user == gate.plugin
    assert "system:authenticated" in entry.peer.identity.groups


async def test_a_message_of_four_mebibytes_goes_both_ways(
    gate: Gate, open_hub: OpenHub, visit: Visit
) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    await visit("vault", gate.endpoint, **gate.options())
    await until(hub.hub.registry.entries)
    large = bytes(range(256)) * 16384
    assert await hub.say("vault", large) == large


async def test_calls_share_the_stream(gate: Gate, open_hub: OpenHub, visit: Visit) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    await visit("vault", gate.endpoint, **gate.options())
    await until(hub.hub.registry.entries)
    texts = [str(number).encode() for number in range(64)]
    assert await asyncio.gather(*(hub.say("vault", text) for text in texts)) == texts
    counted = [number async for number in EchoStub(hub.hub.plugin("vault")).Count(b"3", timeout=10)]
    assert counted == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda gate: None, id="none"),
        pytest.param(lambda gate: gate.cluster.token(gate.plugin, "another-hub"), id="another's"),
        pytest.param(lambda gate: signed_token(gate.cluster, gate.plugin, ends_in=-600), id="ended"),
        pytest.param(
            lambda gate: for_hub(gate.cluster, gate.cluster.service_account(gate.namespace, "stranger")),
            id="of one who may not connect",
        ),
    ],
)
async def test_whom_the_proxy_refuses_is_told_so(
    token: Callable[[Gate], str | None], gate: Gate, open_hub: OpenHub, visit: Visit
) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    guest = await visit("vault", gate.endpoint, **gate.options(token=token(gate)))
    await guest.refused()
    assert "NOT_REACHABLE" not in guest.log.text
    assert not hub.events


async def test_a_stream_refused_by_the_proxy_is_told_so_without_a_health_check(
    open_gate: OpenGate, open_hub: OpenHub, visit: Visit
) -> None:
    """The proxy answers the health check with 404, so that the stream itself is refused."""
    gate = open_gate(f"--allow-paths={frames.METHOD_PATH}")
    await open_hub(gate.upstream, gate.access)
    stranger = for_hub(gate.cluster, gate.cluster.service_account(gate.namespace, "stranger"))
    guest = await visit("vault", gate.endpoint, **gate.options(token=stranger))
    assert "refuses this plugin" in await guest.refused()


async def test_who_may_connect_may_not_take_any_name(gate: Gate, open_hub: OpenHub, visit: Visit) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    guest = await visit("aws", gate.endpoint, **gate.options())
    assert "verb register on plugins.secrets.crossplane.io/aws" in await guest.refused()
    await until(lambda: hub.told(EventKind.REFUSED))
    refusal = hub.told(EventKind.REFUSED)[0]
    assert (refusal.name, refusal.user) == ("aws", gate.plugin)


async def test_rules_of_the_hub_need_no_cluster_behind_the_proxy(
    gate: Gate, open_hub: OpenHub, visit: Visit
) -> None:
    rule = AllowRule.parse(f"system:serviceaccount:{gate.namespace}:vault=aws-*")
    access = HubAccess(auth=HubAuth.RBAC_PROXY, allow=(rule,), pod_ip="10.0.0.7", host_ip="192.168.0.1")
    hub = await open_hub(gate.upstream, access)
    await visit("aws-eu", gate.endpoint, **gate.options())
    await until(hub.hub.registry.entries)


FORGED = (
    ("x-remote-user", "system:serviceaccount:kube-system:root"),
    ("x-remote-groups", "system:masters|system:authenticated"),
    ("x-remote-extra-scopes", "everything"),
)


async def test_headers_that_a_plugin_forges_do_not_count(gate: Gate, open_hub: OpenHub) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    metadata = (("authorization", f"Bearer {for_hub(gate.cluster, gate.plugin)}"), *FORGED)
    async with gate.channel() as channel:
        stream = channel.stream_stream(frames.METHOD_PATH, None, None)(None, metadata=metadata)
        await stream.write(frames.register("vault", "1.0").SerializeToString())
        await until(hub.hub.registry.entries)
        (entry,) = hub.hub.registry.entries()
        assert entry.peer.identity.user == gate.plugin
        assert "system:masters" not in entry.peer.identity.groups
        stream.cancel()


async def test_what_does_not_come_through_the_proxy_is_unknown(gate: Gate, open_hub: OpenHub) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    token = ("authorization", f"Bearer {for_hub(gate.cluster, gate.plugin)}")
    async with grpc.aio.insecure_channel(gate.upstream) as channel:
        stream = channel.stream_stream(frames.METHOD_PATH, None, None)(None, metadata=(token, *FORGED[1:]))
        assert await stream.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "--auth-header-fields-enabled" in hub.told(EventKind.REFUSED)[0].why


@pytest.mark.usefixtures("patient")
async def test_heartbeats_keep_a_stream_alive_that_the_proxy_would_cut(
    open_gate: OpenGate, open_hub: OpenHub, visit: Visit
) -> None:
    """The other plugin, which knows no heartbeats, tells how long a quiet one lives."""
    gate = open_gate(f"--cut-quiet-after={CUT_AFTER}s")
    gate.cluster.allow(gate.plugin, [registering("quiet")], gate.namespace)
    settings = HubSettings(heartbeat_interval=CUT_AFTER / 8, missed_heartbeats=FOR_EVER)
    hub = await open_hub(gate.upstream, gate.access, settings)
    await visit("vault", gate.endpoint, **gate.options())
    await until(hub.hub.registry.entries)
    metadata = (("authorization", f"Bearer {for_hub(gate.cluster, gate.plugin)}"),)
    while len(hub.told(EventKind.GONE)) < 2:  # on a busy machine one may be cut before it is in
        async with gate.channel() as channel:
            stream = channel.stream_stream(frames.METHOD_PATH, None, None)(None, metadata=metadata)
            await stream.write(frames.register("quiet", "1.0").SerializeToString())
            assert await asyncio.wait_for(stream.code(), 30) is not grpc.StatusCode.OK
    assert {event.name for event in hub.told(EventKind.GONE)} == {"quiet"}
    assert await hub.say("vault", b"still here") == b"still here"


@pytest.mark.timeout(QUIET_SECONDS + 110)
async def test_a_stream_that_is_idle_for_two_minutes_lives(
    open_gate: OpenGate, open_hub: OpenHub, visit: Visit
) -> None:
    """As it is set by default, before a proxy that cuts what is quiet for half a minute."""
    gate = open_gate("--cut-quiet-after=30s")
    hub = await open_hub(gate.upstream, gate.access)
    await visit("vault", gate.endpoint, **gate.options())
    await until(hub.hub.registry.entries)
    await asyncio.sleep(QUIET_SECONDS)
    assert await hub.say("vault", b"still here") == b"still here"
    assert newest(hub) == 1
    assert not hub.told(EventKind.GONE)


@pytest.mark.usefixtures("patient")
async def test_an_old_stream_is_renewed_through_the_proxy_with_the_token_of_now(
    gate: Gate, tmp_path: Path, open_hub: OpenHub, visit: Visit
) -> None:
    settings = HubSettings(
        heartbeat_interval=0.1, missed_heartbeats=FOR_EVER, max_stream_age=0.5, drain_grace=1.0
    )
    hub = await open_hub(gate.upstream, gate.access, settings)
    file = tmp_path / "token"
    file.write_text(for_hub(gate.cluster, gate.plugin))
    guest = await visit("vault", gate.endpoint, **gate.options(token=file))
    await until(lambda: newest(hub) >= 2, within=30)
    file.write_text(gate.cluster.token(gate.plugin, "another-hub"))
    await guest.refused()
    await until(lambda: not hub.hub.registry.entries(), within=30)
    before = len(hub.told(EventKind.CONNECTED))
    file.write_text(for_hub(gate.cluster, gate.plugin))
    await until(lambda: len(hub.told(EventKind.CONNECTED)) > before, within=30)


async def test_calls_under_way_finish_when_the_hub_stops(gate: Gate, open_hub: OpenHub, visit: Visit) -> None:
    """Which closes its listener, and tells the proxy of it, while they go on."""
    hub, servicer = await open_hub(gate.upstream, gate.access), Held()
    await visit("vault", gate.endpoint, servicer, **gate.options())
    await until(hub.hub.registry.entries)
    call = EchoStub(hub.hub.plugin("vault")).Say(b"x", timeout=60)
    await until(lambda: servicer.running)
    stopping = asyncio.create_task(hub.hub.stop(60.0))
    await until(lambda: hub.told(EventKind.DRAINING))
    servicer.may_go.set()
    await stopping
    assert await call == b"x"


async def test_calls_under_way_fail_when_the_proxy_dies(gate: Gate, open_hub: OpenHub, visit: Visit) -> None:
    hub = await open_hub(gate.upstream, gate.access)
    await visit("vault", gate.endpoint, **gate.options())
    await until(hub.hub.registry.entries)
    call = EchoStub(hub.hub.plugin("vault")).Wait(b"60", timeout=60)
    await until(lambda: hub.hub.registry.entries()[0].instance.in_flight)
    gate.proxy.kill()
    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await asyncio.wait_for(call, 30)
    await until(lambda: not hub.hub.registry.entries())


def newest(watched: WatchedHub) -> int:
    return max((entry.generation for entry in watched.hub.registry.entries()), default=0)
