"""A hub for enrolled plugins, the listener that enrols them, and processes to be enrolled."""

import hashlib
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import structlog

from store_plugin import enrolment
from store_plugin._proto import lifecycle_pb2 as proto
from store_plugin.endpoints import Endpoint
from store_plugin.hub.hub import Hub
from store_plugin.hub.settings import HubSettings
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.enrolment import Authority, EnrolmentServer, EnrolmentTokens, plugin_listener
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.supervision.process import Command, PluginProcess
from tests.lifecycle.enrolment.conftest import HandClock, request
from tests.support.certificates import CertificateAuthority

DIGEST = "d" * 64
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Bench:
    """Everything that enrolment needs, around one plugins directory."""

    layout: Layout
    authority: Authority
    tokens: EnrolmentTokens
    audit: AuditLog
    hub: Hub
    server: EnrolmentServer
    enabled: set[str]
    stack: AsyncExitStack
    ended: set[str]
    """Instances that run no more."""
    lines: list[str] = field(default_factory=list)

    async def enrol(self, token: str, name: str = "echo", csr: bytes | None = None) -> proto.EnrolResponse:
        """As a plugin does it. AioRpcError."""
        asked = proto.EnrolRequest(token=token, csr_pem=csr or request(), name=name)
        root = self.server.ca_file.read_bytes()
        async with channel(self.server.endpoint, grpc.ssl_channel_credentials(root)) as opened:
            method = opened.unary_unary(enrolment.ENROL, None, proto.EnrolResponse.FromString)
            response: proto.EnrolResponse = await method(asked.SerializeToString(), timeout=10)
            return response

    async def start(self, text: str, name: str = "echo", instance: str = "i1", **extra: str) -> PluginProcess:
        """A Python plugin in a process of its own, invited."""
        path = self.layout.root / f"{name}-{instance}"
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n{textwrap.dedent(text)}"
        )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        environment = await self.server.environment(name, instance, digest)
        command = Command(path, digest, [name], {**environment, **extra}, {}, 30.0)
        process = await PluginProcess.start(command, self.lines.append)
        self.stack.callback(process.kill)
        return process

    @property
    def test_authority(self) -> CertificateAuthority:
        """The same CA, for certificates that it would not issue."""
        found = self.authority._generations.read(self.layout.authority / "ca-000001.pem")
        return CertificateAuthority(found.certificate, found.key)

    def events(self) -> list[str]:
        """Lines of the audit record."""
        return list(self.audit.lines())


@asynccontextmanager
async def enrolment_bench(
    root: Path,
    *,
    life: timedelta = timedelta(hours=24),
    clock: HandClock | None = None,
    settings: HubSettings | None = None,
    log: Any = None,
) -> AsyncIterator[Bench]:
    layout, log = Layout(root / "plugins"), log or structlog.get_logger()
    layout.prepare()
    authority = Authority(layout.authority, life=life, clock=clock or HandClock())
    tokens, audit, enabled = EnrolmentTokens(), AuditLog(layout.audit), {"echo"}
    may_run: Callable[[str], bool] = enabled.__contains__
    ended: set[str] = set()
    listener = await plugin_listener(
        Endpoint.parse("127.0.0.1:0"),
        authority,
        may_run,
        audit,
        log,
        renews=lambda plugin: plugin.instance not in ended,
    )
    async with AsyncExitStack() as stack:
        hub = Hub([listener], log, settings)
        await hub.start()
        stack.push_async_callback(hub.stop, 2.0)
        server = EnrolmentServer(authority, tokens, may_run, audit, log, hub=lambda: hub.endpoints[0])
        await server.start()
        stack.push_async_callback(server.stop)
        yield Bench(layout, authority, tokens, audit, hub, server, enabled, stack, ended)


def channel(endpoint: Endpoint, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
    """To a listener on loopback, with a connection of its own."""
    return grpc.aio.secure_channel(endpoint.address, credentials, [("grpc.use_local_subchannel_pool", 1)])
