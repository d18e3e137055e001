"""A hub, a catalog and a supervisor in this process, and plugins as real processes below it."""

import asyncio
import hashlib
import json
import sys
import textwrap
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.hub import Hub, HubListener
from store_plugin.hub.peer import Peer
from store_plugin.lifecycle.administration.vouching import Vouching
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.catalog import Catalog, now
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.registration import Registration, RunOptions
from store_plugin.lifecycle.supervision.instance import Ground
from store_plugin.lifecycle.supervision.states import PluginStatus, State
from store_plugin.lifecycle.supervision.supervisor import Supervisor
from store_plugin.testing.environment import RecordingLog
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
PLUGIN = """
    import asyncio, os, sys
    sys.path[:0] = {paths!r}
    {before}
    from store_plugin.plugin import Plugin
    from tests.support.echo import Echo, add_echo

    class Versioned(Echo):
        async def Say(self, request, context):
            return {version!r}.encode()

    plugin = Plugin("echo", {version!r}, instance_id=os.environ["STORE_PLUGIN_INSTANCE"])
    add_echo(Versioned(), plugin)
    {extra}
    asyncio.run(plugin.run(os.environ["STORE_PLUGIN_HUB"]))
"""
CHECK_THAT_FAILS = """
    from store_plugin.errors import StoreUnavailable

    @plugin.on_check
    async def check():
        raise StoreUnavailable("not well")
"""


CHECK_THAT_HANGS = """
    @plugin.on_check
    async def check():
        await asyncio.sleep(60)
"""


@dataclass
class World:
    """Everything that a supervised plugin lives in."""

    layout: Layout
    hub: Hub
    supervisor: Supervisor
    catalog: Catalog
    content: ContentStore
    audit: AuditLog
    log: RecordingLog
    scratch: Path
    running: "asyncio.Task[None]"
    """The supervisor's."""
    environ: dict[str, str] = field(default_factory=dict)
    admits_all: bool = False
    """Whether strangers get in, as they do under a name that nothing here has."""

    def install(
        self, version: str, *, before: str = "", extra: str = "", signer: str = "", **run: Any
    ) -> Registration:
        """A version of the plugin `echo`, registered."""
        text = textwrap.dedent(PLUGIN).format(
            paths=[str(ROOT), *[path for path in sys.path if "site-packages" in path]],
            before=before,
            extra=textwrap.dedent(extra),
            version=version,
        )
        file = self.scratch / f"echo-{version}"
        file.write_text(f"#!{sys.executable} -S\n{text}")
        digest = self.content.add(file)
        assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
        options = RunOptions(**{"stop_grace": 10.0, **run})
        registration = Registration(
            name="echo", version=version, digest=digest, signer=signer, run=options, registered_at=now()
        )
        self.catalog.register(registration)
        return registration

    async def enable(self, version: str) -> None:
        self.catalog.enable("echo", version)
        await self.supervisor.look()

    @property
    def status(self) -> PluginStatus | None:
        return next(iter(self.supervisor.statuses()), None)

    async def ready(self, version: str) -> PluginStatus:
        def is_ready() -> bool:
            status = self.status
            return status is not None and (status.state, status.version) == (State.READY, version)

        await until(is_ready)
        assert self.status is not None
        return self.status

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.audit.lines()]

    def happened(self) -> list[str]:
        """The events of plugins, those of keys and rules left out."""
        return [one["event"] for one in map(json.loads, self.audit.lines()) if one["plugin"]]


@asynccontextmanager
async def world_in(directory: Path) -> AsyncIterator[World]:
    layout = Layout(directory / "plugins")
    layout.prepare()
    log = RecordingLog()
    catalog, content, audit = Catalog(layout.catalog), ContentStore(layout.content), AuditLog(layout.audit)
    endpoint = Endpoint.parse(f"unix://{directory}/hub.sock")
    worlds: list[World] = []

    def admit(peer: Peer) -> bool:
        return not worlds[0].admits_all and worlds[0].supervisor.admit(peer)

    hub = Hub([HubListener(endpoint, anyone, any_name)], log, admit=admit)
    environ: dict[str, str] = {}

    async def welcome(name: str, instance: str, digest: str) -> Mapping[str, str]:
        return {"STORE_PLUGIN_HUB": str(endpoint), "STORE_PLUGIN_INSTANCE": instance}

    ground = Ground(hub.registry, content, Vouching(layout, audit), welcome, environ)
    supervisor = Supervisor(catalog, audit, ground, log, log)
    async with hub:
        running = asyncio.create_task(supervisor.run())
        worlds.append(
            World(layout, hub, supervisor, catalog, content, audit, log, directory, running, environ)
        )
        try:
            yield worlds[0]
        finally:
            running.cancel()
            await asyncio.wait((running,))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path) as world:
        yield world
