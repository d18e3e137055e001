"""Runs what the catalog says is enabled, and nothing else."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from store_plugin.enrolment import PluginInstance
from store_plugin.errors import PluginNotFound, PluginRefused, StorePluginError
from store_plugin.hub.peer import Peer
from store_plugin.lifecycle.audit import AuditLog, Value
from store_plugin.lifecycle.catalog import Catalog
from store_plugin.lifecycle.registration import Registration
from store_plugin.lifecycle.supervision.instance import Ground
from store_plugin.lifecycle.supervision.output import Output
from store_plugin.lifecycle.supervision.runner import Runner
from store_plugin.lifecycle.supervision.states import PluginStatus
from store_plugin.lifecycle.supervision.telling import Sayings
from store_plugin.log import Logger

LOOK_SECONDS = 2.0
"""Between looks at the catalog and the trusted keys, for changes that nobody told of."""
HEAD_SECONDS = 300.0
"""Between lines that tell the head of the audit record."""


class Supervisor:
    """Of all plugins of one plugins directory. Belongs to one event loop. `outside`: where the head of
    the audit record is told, at level info; who keeps that log can check the record."""

    def __init__(
        self, catalog: Catalog, audit: AuditLog, ground: Ground, log: Logger, outside: Logger
    ) -> None:
        self._catalog = catalog
        self._audit = audit
        self._ground = ground
        self._log = log
        self._outside = outside
        self._runners: dict[str, Runner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looking = asyncio.Lock()
        self._gone = asyncio.Event()
        """Set when a plugin has ended: the catalog may ask for it again."""
        self._ended = False

    async def run(self) -> None:
        """Follow the catalog until cancelled; then everything is ended, in order."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_catalog(), name="plugin catalog")
                group.create_task(self._tell_head(), name="audit head")
        finally:
            await self._stop_all()

    async def look(self) -> None:
        """Take in what the catalog says now: start, change and end plugins as it asks. Returns
        before that is done. What reading the catalog raises."""
        async with self._looking:
            enabled = await asyncio.to_thread(self._catalog.enabled)
            trust = await self._ground.vouching.ground()
            if self._ended:
                return
            for name in self._runners.keys() - enabled.keys():
                self._runners[name].stop()
            for name, wanted in enabled.items():
                runner = self._runners.get(name)
                if runner is None:
                    runner = self._begin(wanted.registration, trust)
                runner.want(wanted.registration, trust, wanted.previous)

    def statuses(self) -> list[PluginStatus]:
        """Of all that run or should, by name."""
        return [self._runners[name].status for name in sorted(self._runners)]

    def runs(self, name: str) -> bool:
        """Whether a plugin of that name runs here, or should."""
        return name in self._runners

    def has(self, plugin: PluginInstance) -> bool:
        """Whether this very process of a plugin is one that runs here and was not told to end."""
        runner = self._runners.get(plugin.name)
        return runner is not None and runner.holds(plugin.instance) is not None

    def restart(self, name: str) -> None:
        """Have another process of a plugin. PluginNotFound."""
        self._runner(name).restart()

    def output(self, name: str) -> Output:
        """What a plugin has written. PluginNotFound."""
        return self._runner(name).output

    def admit(self, peer: Peer) -> bool:
        """Whether an instance that wants to come in is to be held. PluginRefused where it is none
        of ours, or has been told to go."""
        runner = self._runners.get(peer.name)
        held = runner.holds(peer.instance_id) if runner is not None else None
        if held is None:
            raise PluginRefused(f"no instance {peer.instance_id} of plugin {peer.name} is to run here")
        return held

    def _begin(self, registration: Registration, trust: str) -> Runner:
        name = registration.name
        for stranger in self._ground.registry.named(name):  # who came before cannot be one of ours
            self._ground.registry.drain(stranger)
        say = Sayings(self._record, self._rolled_back, self._proved)
        runner = Runner(registration, trust, self._ground, say, self._log)
        self._runners[name] = runner
        self._tasks[name] = asyncio.create_task(self._keep(name, runner), name=f"plugin {name}")
        return runner

    async def _keep(self, name: str, runner: Runner) -> None:
        try:
            await runner.run()
            self._gone.set()
        except StorePluginError as error:
            self._log.error("plugin is not run any more", plugin=name, error=error.message)
        except Exception:
            self._log.error("plugin is not run any more", plugin=name, exc_info=True)
        finally:
            self._runners.pop(name, None)
            self._tasks.pop(name, None)

    async def _follow_catalog(self) -> None:
        problem = ""
        while True:
            try:
                await self.look()
                problem = ""
            except StorePluginError as error:
                if error.message != problem:
                    problem = error.message
                    self._log.error("the catalog cannot be read; what runs goes on", error=problem)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), LOOK_SECONDS)
            self._gone.clear()

    async def _tell_head(self) -> None:
        while True:
            try:
                self._outside.info("audit head", head=await asyncio.to_thread(self._audit.head))
            except StorePluginError as error:
                self._log.error("the audit record cannot be read; what runs goes on", error=error.message)
            await asyncio.sleep(HEAD_SECONDS)

    def kill(self) -> None:
        """End every process at once, after `run` was cancelled: there is no time for more."""
        for runner in self._runners.values():
            runner.kill()

    async def _stop_all(self) -> None:
        self._ended = True
        for runner in self._runners.values():
            runner.stop()
        if tasks := tuple(self._tasks.values()):
            await asyncio.wait(tasks)

    async def _record(self, event: str, name: str, fields: Mapping[str, Value]) -> None:
        await asyncio.to_thread(self._audit.record, event, name, fields)

    async def _rolled_back(self, new: Registration, old: Registration) -> None:
        """The catalog must say what runs, or the bad version would be tried again and again."""
        self._log.error("plugin rolled back", plugin=new.name, version=new.version, to=old.version)
        async with self._looking:
            await asyncio.to_thread(self._catalog.roll_back, new.name, new.version, old.version)

    async def _proved(self, registration: Registration) -> None:
        async with self._looking:
            await asyncio.to_thread(self._catalog.proved, registration.name, registration.version)

    def _runner(self, name: str) -> Runner:
        if (runner := self._runners.get(name)) is None:
            raise PluginNotFound(f"plugin {name} is not enabled")
        return runner
