"""Keeps one plugin running: starts it, starts it again when it ends, changes its version.

One task decides everything, one step after the other, so that a crash during an update and a
request during a crash are nothing special. Requests come in by `want`, `restart` and `stop`.
"""

import asyncio
from datetime import UTC, datetime

from store_plugin.errors import PluginUntrusted, StorePluginError
from store_plugin.lifecycle.registration import Registration
from store_plugin.lifecycle.supervision.circuit import Circuit
from store_plugin.lifecycle.supervision.instance import Ground, Instance, told
from store_plugin.lifecycle.supervision.output import Output
from store_plugin.lifecycle.supervision.overtaken import Overtaken, unless
from store_plugin.lifecycle.supervision.states import PluginStatus, State
from store_plugin.lifecycle.supervision.telling import Sayings, Telling
from store_plugin.log import Logger
from store_plugin.plugin.backoff import Backoff

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
LEFT_ALONE = 600.0
"""Seconds between tries once the circuit is open: what was wrong may have passed."""
LOST_AFTER = 15.0
"""Seconds without a connection after which a process that is still there counts as hanging."""
CANARY_CHECKS = 3
"""Checks that a new version must pass before it takes calls from the old one."""

_UNKNOWN = ""
"""Under what nothing is vouched for: the next look at the catalog asks again."""
_NOBODY_KNOWS = "nobody can tell whether a plugin is still to be trusted; it runs on"


class Runner:
    """Of one plugin. `run` is owned by the supervisor."""

    def __init__(
        self,
        wanted: Registration,
        trust: str,
        ground: Ground,
        say: Sayings,
        log: Logger,
    ) -> None:
        self.output = Output(wanted.name, log)
        self._wanted = wanted
        self._trust = self._vouched_under = trust
        """What somebody vouched for it under, and what counts now."""
        self._ground = ground
        self._tell = Telling(say, log)
        self._log = log
        self._current: Instance | None = None
        self._coming: Instance | None = None
        self._ending: Instance | None = None
        self._news = asyncio.Event()
        self._restart = self._stopping = False
        self._previous: Registration | None = None
        """What to go back to, as long as the wanted version has never been ready."""
        self._given_up: Registration | None = None
        """What did not become ready, where the catalog could not be told so."""
        self._circuit = Circuit()
        self._try_again = False
        """Whether to start it though the circuit is open."""
        self._backoff = Backoff(first=FIRST_WAIT, longest=LONGEST_WAIT)
        self._restarts = 0
        self._state, self._since, self._why = State.STARTING, datetime.now(UTC), ""

    @property
    def status(self) -> PluginStatus:
        """How it is doing."""
        instance = self._current
        shown = instance.registration if instance is not None else self._wanted
        return PluginStatus(
            name=shown.name,
            version=shown.version,
            digest=shown.digest,
            state=self._state,
            since=self._since,
            restarts=self._restarts,
            instance_id=instance.instance_id if instance is not None else "",
            pid=instance.pid if instance is not None else None,
            why=self._why,
            wanted_version=self._wanted.version,
        )

    def want(self, registration: Registration, trust: str, previous: Registration | None) -> None:
        """Have this version run from now on, as long as somebody vouches for it under `trust`: the
        keys and rules of `Vouching.ground` now. `previous`: what to go back to where it never becomes
        ready."""
        if trust != self._trust:
            self._trust = trust
            self._news.set()
        if registration == self._given_up:
            return
        self._given_up, self._previous = None, previous
        if registration != self._wanted:
            self._wanted = registration
            self._circuit.reset()  # the failures were another version's
            self._news.set()

    def restart(self) -> None:
        """Have another process, also where it had ended too often."""
        self._restart, self._given_up = True, None
        self._news.set()

    def stop(self) -> None:
        """Have it end; `run` returns then."""
        self._stopping = True
        self._news.set()

    def kill(self) -> None:
        """End whatever runs at once; `stop` was called before."""
        for instance in (self._current, self._coming, self._ending):
            if instance is not None:
                instance.kill()

    def holds(self, instance_id: str) -> bool | None:
        """Whether an instance that wants to come in is to be held; None where it is not ours,
        or has been told to go."""
        for instance in (self._current, self._coming):
            if instance is not None and instance.instance_id == instance_id and not instance.retired:
                return instance is self._coming
        return None

    async def run(self) -> None:
        """Until `stop`. Nothing of the plugin is left then, however this ends."""
        try:
            while not self._stopping:
                await self._step()
            self._set(State.STOPPING)
            await self._end(self._current, "stopped")
        finally:
            self.kill()
            self.output.end()

    async def _step(self) -> None:
        """Whatever is to be done next. Trust comes first: what must not run is ended at once. An update
        comes before a restart: the process that serves is not ended for a version that has not shown
        yet that it is well."""
        self._news.clear()
        if self._vouched_under != self._trust:
            await self._reconsider()
        elif self._current is not None and self._current.registration != self._wanted:
            await self._update(self._current)
        elif self._restart:
            self._restart = False
            self._circuit.reset()
            self._set(State.STOPPING)
            await self._end(self._current, "restarted")
            self._current = None
        elif self._current is None:
            await self._begin()
        else:
            await self._attend(self._current)

    async def _begin(self) -> None:
        if self._circuit.open and not self._try_again:
            await self._leave_alone()
            return
        self._try_again = False
        self._set(State.STARTING, self._why)
        instance = self._coming = self._new()
        try:
            await self._started(instance)
        except PluginUntrusted as error:
            if not instance.vouched:  # starting it again makes nobody vouch for it
                self._circuit.trip()
            await self._failed(instance, error.message, "refuse-start")
            return
        except StorePluginError as error:
            await self._failed(instance, error.message)
            return
        except Overtaken:
            return
        finally:
            self._coming = None
        self._current = instance
        self._circuit.ready()
        self._release(instance)
        await self._prove(instance.registration)

    async def _leave_alone(self) -> None:
        """Until something is asked for, or it is time for a try. What was never ready is left for the
        version before: the sidecar ended while that one served, or none ran when it was enabled."""
        if self._previous is not None:
            await self._go_back(self._previous)
            return
        if self._state is not State.BROKEN:
            await self._tell.note("circuit-open", self._wanted.name, {"why": self._why})
            self._log.error("plugin is left alone", plugin=self._wanted.name, why=self._why)
            self._set(State.BROKEN, self._why)
        try:
            async with asyncio.timeout(LEFT_ALONE):
                await self._news.wait()
        except TimeoutError:
            self._try_again = True

    async def _go_back(self, previous: Registration) -> None:
        """Start the version before, in the place of one that has never been ready."""
        await self._roll_back(self._wanted, previous, self._why)
        self._circuit.reset()

    async def _prove(self, registration: Registration) -> None:
        """It has been ready: there is nothing to go back to any more."""
        if self._previous is None or registration != self._wanted:
            return
        self._previous = None
        await self._tell.proved(registration)

    async def _reconsider(self) -> None:
        """Keys or rules are others than before: end what nobody vouches for any more, and give another
        chance to what nobody vouched for before."""
        trust, instance = self._trust, self._current
        self._circuit.forgive()
        try:
            if instance is not None:
                await self._ground.vouching.check(instance.registration)
        except PluginUntrusted as error:
            assert instance is not None
            await self._refuse(instance, error.message)
        except StorePluginError as error:
            if self._vouched_under != _UNKNOWN:
                self._log.error(_NOBODY_KNOWS, plugin=self._wanted.name, error=error.message)
            trust = self._trust = _UNKNOWN
        self._vouched_under = trust

    async def _refuse(self, instance: Instance, why: str) -> None:
        """End what runs and must not."""
        self._log.error("plugin must not run any more", plugin=instance.registration.name, why=why)
        await self._tell.of("refuse-run", instance, why=why)
        if instance.registration == self._wanted:
            self._circuit.trip()
        self._current = None
        self._set(State.STOPPING, why)
        await self._end(instance, "refused")

    async def _started(self, instance: Instance, checks: int = 0) -> None:
        """Start an instance, and check it so many times more; one that does not become ready is
        killed when this raises. Overtaken where something else is asked for meanwhile."""
        await self._ground.vouching.check(instance.registration)
        instance.vouched = True
        await self._tell.begin(instance)

        async def start() -> None:
            await instance.start()
            for _ in range(checks):
                await instance.check()

        try:
            await unless(self._asked_for_other(instance.registration), start())
        except Overtaken:
            instance.kill()
            await self._end(instance, "overtaken")
            raise
        except BaseException:
            instance.kill()
            raise

    async def _asked_for_other(self, registration: Registration) -> None:
        """Wait until this is not what shall run. Whoever asks has set more than the event."""
        while self._wanted == registration and self._vouched_under == self._trust and not self._stopping:
            if self._restart and self._current is None:
                return
            self._news.clear()
            await self._news.wait()

    async def _attend(self, instance: Instance) -> None:
        """Wait for the end of a process, its loss, or news."""
        ended = asyncio.create_task(instance.ended(), name="plugin ended")
        lost = asyncio.create_task(instance.lost(LOST_AFTER), name="plugin lost")
        news = asyncio.create_task(self._news.wait(), name="plugin news")
        try:
            await asyncio.wait((ended, lost, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ended, lost, news):
                task.cancel()
        if ended.done() and not ended.cancelled():
            self._current = None
            await self._failed(instance, f"it {told(ended.result())}")
        elif lost.done() and not lost.cancelled():
            self._current = None
            await self._stopped(instance)
            await self._failed(instance, "it hung: the process was there, and not connected")

    async def _failed(self, instance: Instance, why: str, event: str = "crash") -> None:
        """Note an end that nobody asked for, or a start that must not be, and wait before the next.
        Where there was no process yet, it says nothing against the plugin, and is noted once."""
        told = why == self._why
        self._restarts += 1
        self._set(State.WAITING, why)
        self._log.warning("plugin ended", plugin=instance.registration.name, why=why)
        if instance.began or event != "crash":
            self._circuit.failed(instance.well_for)
            await self._tell.of(event, instance, why=why)
        elif not told:
            await self._tell.of("not-started", instance, why=why)
        if self._circuit.open:
            return
        try:
            async with asyncio.timeout(self._backoff.after(instance.well_for)):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _update(self, old: Instance) -> None:
        """Start the wanted version beside the old one. It takes over once it has shown that it
        is well; if it does not, nothing has happened but a record of it."""
        self._set(State.UPDATING)
        wanted = self._wanted
        new = self._coming = self._new()
        try:
            await self._started(new, CANARY_CHECKS)
        except StorePluginError as error:
            await self._roll_back(wanted, old.registration, error.message)
            return
        except Overtaken:
            self._set(State.READY)
            return
        finally:
            self._coming = None
        self._current = new
        self._release(new)
        await self._tell.of("updated", new, **{"from": old.registration.version})
        await self._prove(wanted)
        await self._end(old, "replaced")

    async def _roll_back(self, new: Registration, old: Registration, why: str) -> None:
        self._previous = None
        if not await self._tell.rolled_back(new, old, why):
            self._given_up = new
        if self._wanted == new:
            self._wanted = old
        state = State.READY if self._current is not None else State.WAITING
        self._set(state, f"version {new.version} did not become ready: {why}")

    async def _end(self, instance: Instance | None, why: str) -> None:
        if instance is None:
            return
        code = await self._stopped(instance)
        ended = told(code) if code is not None else "never ran"
        await self._tell.of("exit", instance, why=f"{why}; {ended}")

    async def _stopped(self, instance: Instance) -> int | None:
        """Have it end, and let `kill` reach it as long as that takes."""
        self._ending = instance
        try:
            return await instance.stop()
        finally:
            self._ending = None

    def _release(self, instance: Instance) -> None:
        entry = instance.entry
        if entry is not None:
            self._ground.registry.release(entry)
        instance.taken()
        self._set(State.READY, self._why)

    def _new(self) -> Instance:
        return Instance(self._wanted, self._ground, self.output.take)

    def _set(self, state: State, why: str = "") -> None:
        if state is not self._state:
            self._since = datetime.now(UTC)
        self._state, self._why = state, why
