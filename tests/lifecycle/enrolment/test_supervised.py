"""Supervised plugins that enrol: started, updated and disabled with nothing but their certificates."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.hub.hub import Hub
from store_plugin.lifecycle.administration.vouching import Vouching
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.catalog import Catalog
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.enrolment import (
    Authority,
    EnrolmentServer,
    EnrolmentTokens,
    enabled_in,
    plugin_listener,
)
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.supervision.instance import Ground
from store_plugin.lifecycle.supervision.supervisor import Supervisor
from store_plugin.testing.environment import RecordingLog
from tests.lifecycle.conftest import World
from tests.support.echo import EchoStub
from tests.support.waiting import until

ENROLLED = """
    plugin.main()
    sys.exit()
"""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    layout, log = Layout(tmp_path / "plugins"), RecordingLog()
    layout.prepare()
    catalog, content, audit = Catalog(layout.catalog), ContentStore(layout.content), AuditLog(layout.audit)
    authority, may_run = Authority(layout.authority), enabled_in(catalog)
    supervisors: list[Supervisor] = []
    listener = await plugin_listener(
        Endpoint.parse("127.0.0.1:0"),
        authority,
        may_run,
        audit,
        log,
        renews=lambda plugin: supervisors[0].has(plugin),
    )
    hub = Hub([listener], log, admit=lambda peer: supervisors[0].admit(peer))
    server = EnrolmentServer(authority, EnrolmentTokens(), may_run, audit, log, hub=lambda: hub.endpoints[0])

    async def welcome(name: str, instance: str, digest: str) -> Mapping[str, str]:
        invitation = await server.environment(name, instance, digest)
        return {**invitation, "STORE_PLUGIN_INSTANCE": "its own word"}

    ground = Ground(hub.registry, content, Vouching(layout, audit), welcome, {})
    supervisor = Supervisor(catalog, audit, ground, log, log)
    supervisors.append(supervisor)
    await server.start()
    async with hub:
        running = asyncio.create_task(supervisor.run())
        try:
            yield World(layout, hub, supervisor, catalog, content, audit, log, tmp_path, running)
        finally:
            running.cancel()
            await asyncio.wait((running,))
            await server.stop()


async def test_a_plugin_is_started_updated_and_disabled_with_its_certificates(world: World) -> None:
    for version in ("1.0", "2.0"):
        world.install(version, extra=ENROLLED)
    stub = EchoStub(world.hub.plugin("echo"))
    await world.enable("1.0")
    await world.ready("1.0")
    assert await stub.Say(b"", timeout=10) == b"1.0"
    await world.enable("2.0")
    await world.ready("2.0")
    async with asyncio.timeout(20):
        while await stub.Say(b"", timeout=10) != b"2.0":
            pass  # both serve until the old one drains
    world.catalog.disable("echo")
    await world.supervisor.look()
    await until(lambda: world.status is None)
    assert world.events().count("enrol") == 2
    assert not [event for event in world.events() if event.startswith("refuse")]
    world.audit.verify()
