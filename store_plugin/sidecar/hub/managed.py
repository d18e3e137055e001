"""The plugins that the sidecar itself runs, out of a plugins directory: what supervises them, how
they enrol, and the listener where nobody else gets in."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from store_plugin.endpoints import Endpoint
from store_plugin.enrolment import PluginInstance
from store_plugin.errors import PluginRefused
from store_plugin.hub.hub import HubListener
from store_plugin.hub.peer import Peer
from store_plugin.hub.registry import Registry
from store_plugin.lifecycle.administration.settings import read_settings
from store_plugin.lifecycle.administration.trust import TrustedKeys
from store_plugin.lifecycle.administration.vouching import Vouching
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.call_notes import CallNote, CallNotes
from store_plugin.lifecycle.catalog import Catalog
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.enrolment import (
    Authority,
    EnrolmentServer,
    EnrolmentTokens,
    enabled_in,
    plugin_listener,
)
from store_plugin.lifecycle.enrolment.authority import DEFAULT_LIFE
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.supervision.instance import Ground
from store_plugin.lifecycle.supervision.output import Output
from store_plugin.lifecycle.supervision.states import PluginStatus
from store_plugin.lifecycle.supervision.supervisor import Supervisor
from store_plugin.sidecar.logs import always_logged
from store_plugin.store import Logger

_ANY_PORT = Endpoint.parse("127.0.0.1:0")
_LEAST_GRACE = 2.0
"""Seconds that a plugin without calls needs to end in order."""


class ManagedPlugins:
    """Belongs to one event loop. `require_signature` turns that on in the directory, for good.
    ConfigInvalid where the directory cannot be used; Tampered, StoreUnavailable where what it
    requires can be neither read nor written.
    """

    def __init__(
        self,
        directory: Path,
        registry: Registry,
        environ: Mapping[str, str],
        log: Logger,
        certificate_life: timedelta = DEFAULT_LIFE,
        require_signature: bool = False,
    ) -> None:
        self._layout = layout = Layout(directory.absolute())
        layout.prepare()
        self._log = log
        self._catalog, self.audit = Catalog(layout.catalog), AuditLog(layout.audit)
        if require_signature and not read_settings(layout).require_signature:
            TrustedKeys(layout, self.audit).require(True)
        self._may_run = enabled_in(self._catalog)
        self._authority = Authority(layout.authority, life=certificate_life)
        self._hub_endpoint = _ANY_PORT
        self._enrolment = EnrolmentServer(
            self._authority,
            EnrolmentTokens(),
            self._may_run,
            self.audit,
            log,
            hub=lambda: self._hub_endpoint,
        )
        vouching = Vouching(layout, self.audit)
        content = ContentStore(layout.content)
        ground = Ground(registry, content, vouching, self._enrolment.environment, environ)
        self.supervisor = Supervisor(self._catalog, self.audit, ground, log, always_logged())
        self._running: asyncio.Task[None] | None = None
        self._notes = CallNotes(self.audit, log)
        self._noting: asyncio.Task[None] | None = None

    @property
    def directory(self) -> Path:
        """The plugins directory."""
        return self._layout.root

    @property
    def control_socket(self) -> Path:
        """Where commands about this directory look for the sidecar."""
        return self._layout.control_socket

    def statuses(self) -> Sequence[PluginStatus]:
        """Of all that run or should, by name."""
        return self.supervisor.statuses()

    def restart(self, name: str) -> None:
        """Have another process of a plugin. PluginNotFound."""
        self.supervisor.restart(name)

    def output(self, name: str) -> Output:
        """What a plugin has written. PluginNotFound."""
        return self.supervisor.output(name)

    async def catalog_changed(self) -> None:
        """Take in what the catalog says now, once plugins are run at all. What reading it raises."""
        if self._running is not None:
            await self.supervisor.look()

    async def listener(self) -> HubListener:
        """The hub's listener for them: mTLS on loopback, certificates of their own CA only."""
        return await plugin_listener(
            _ANY_PORT, self._authority, self._may_run, self.audit, self._log, renews=self.supervisor.has
        )

    def admit(self, peer: Peer) -> bool:
        """Whether a plugin is to be held before it is called. PluginRefused where it is none that
        runs here and has come in as one, or uses the name of one."""
        if PluginInstance.from_uri(peer.identity.user) is not None:
            return self.supervisor.admit(peer)
        if self.supervisor.runs(peer.name):
            raise PluginRefused(f"the name {peer.name} is that of a plugin that this sidecar runs")
        return False

    def noted(self, peer: Peer, method: str, keys: tuple[str, ...]) -> None:
        """A call came back with keys for the audit record; of a plugin that runs here they enter it."""
        if PluginInstance.from_uri(peer.identity.user) is not None:
            self._notes.take(CallNote(peer.name, peer.instance_id, method, keys))

    async def start(self, hub: Endpoint) -> None:
        """Run what the catalog says; `hub` is where `listener` listens."""
        self._hub_endpoint = hub
        await self._enrolment.start()
        self._noting = asyncio.create_task(self._notes.run(), name="plugin call notes")
        self._running = asyncio.create_task(self.supervisor.run(), name="plugin supervisor")
        self._running.add_done_callback(self._tell_end)

    async def stop(self, grace: float) -> None:
        """End all of them, in order; nothing of them is left then. Who has not ended after
        `grace` seconds is killed."""
        if self._running is not None:
            self._running.cancel()
            _, late = await asyncio.wait((self._running,), timeout=max(grace, _LEAST_GRACE))
            if late:
                self.supervisor.kill()
                await asyncio.wait(late)
        if self._noting is not None:
            self._noting.cancel()
            await asyncio.wait((self._noting,))
        await self._enrolment.stop()

    def _tell_end(self, running: "asyncio.Task[None]") -> None:
        """It goes on for ever; where it does not, somebody should know."""
        if not running.cancelled() and (error := running.exception()) is not None:
            self._log.error("plugins are not run any more", exc_info=error)
