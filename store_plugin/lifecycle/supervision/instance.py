"""One process of a plugin, from its start until nothing of it is left."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from store_plugin.errors import Code, StoreUnavailable
from store_plugin.hub.registry import Entry, Registry
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.enrolment.tokens import LONGEST_LIFE
from store_plugin.lifecycle.environment import minimal_environment
from store_plugin.lifecycle.registration import Registration
from store_plugin.lifecycle.supervision.process import Command, PluginProcess
from store_plugin.stream import wellness
from store_plugin.stream.outcomes import CallFailed

_CHECK_SECONDS = 5.0
_POLL_SECONDS = 0.02

Welcome = Callable[[str, str, str], Awaitable[Mapping[str, str]]]
"""What a new process is given to find and enter the hub: variables of its environment, for its
name, instance and digest."""


class Vouching(Protocol):
    """Who knows what may run, as `store_plugin.lifecycle.administration.vouching.Vouching`."""

    async def check(self, registration: Registration) -> None:
        """Asked before each start, and of what runs when `ground` is another; PluginUntrusted where
        it must not be."""
        ...

    async def ground(self) -> str:
        """Stands for all that `check` goes by: another text where that has changed. Never empty."""
        ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What all instances stand on. `environ` is where allowed variables are taken from."""

    registry: Registry
    content: ContentStore
    vouching: Vouching
    welcome: Welcome
    environ: Mapping[str, str] = field(repr=False)


class Instance:
    """A process that is to connect to the hub under an id that nobody else has."""

    def __init__(self, registration: Registration, ground: Ground, on_line: Callable[[str], None]) -> None:
        self.registration = registration
        self.instance_id = f"{registration.version}-{secrets.token_hex(4)}"
        self.started_at = time.monotonic()
        self.vouched = False
        """Whether somebody vouched for it before its start."""
        self.retired = False
        """Whether it has been told to end: it may not come in again."""
        self._ground = ground
        self._on_line = on_line
        self._process: PluginProcess | None = None
        self._taken_at: float | None = None

    @property
    def began(self) -> bool:
        """Whether there ever was a process."""
        return self._process is not None

    @property
    def well_for(self) -> float:
        """Seconds since it became ready; 0 where it never did."""
        return 0.0 if self._taken_at is None else time.monotonic() - self._taken_at

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.running else None

    @property
    def entry(self) -> Entry | None:
        """Its place in the registry, while it is connected."""
        return self._ground.registry.instance(self.registration.name, self.instance_id)

    async def start(self) -> None:
        """Start the process and wait until it is connected and says that it is well; it stays
        held. PluginUntrusted, StoreUnavailable where it ends or takes too long."""
        timeout = self.registration.run.start_timeout
        try:
            async with asyncio.timeout(timeout):
                self._process = await PluginProcess.start(await self._command(), self._on_line)
                await self._connected(self._process)
                await self.check()
        except TimeoutError:
            connected = "is connected, and does not answer" if self.entry else "has not connected"
            raise StoreUnavailable(
                f"it {connected} {timeout:g} s after its start{self._too_late()}"
            ) from None

    def taken(self) -> None:
        """It is ready, and takes calls from now on."""
        self._taken_at = time.monotonic()

    async def check(self) -> None:
        """Ask whether it is well. StoreUnavailable."""
        entry = self.entry
        if entry is None:
            raise StoreUnavailable("it is not connected")
        try:
            await entry.instance.call(wellness.PATH, b"", timeout=_CHECK_SECONDS, metadata=())
        except CallFailed as failure:
            if failure.code is not Code.UNIMPLEMENTED:
                raise StoreUnavailable(f"its check failed: {failure.message}") from None

    async def ended(self) -> int:
        """Wait for the end of the process; its exit code."""
        assert self._process is not None
        return await self._process.ended()

    async def lost(self, patience: float) -> None:
        """Wait until it has not been connected for so many seconds in a row."""
        seen = time.monotonic()
        while time.monotonic() - seen < patience:
            if self.entry is not None:
                seen = time.monotonic()
            await asyncio.sleep(min(0.25, patience / 4))

    async def stop(self) -> int | None:
        """Give it no more calls, let those under way finish, and end it. None: never started."""
        self.retired = True
        entry = self.entry
        if entry is not None:
            self._ground.registry.drain(entry)
            with suppress(TimeoutError):
                await asyncio.wait_for(entry.gone.wait(), self.registration.run.stop_grace)
        return await self._process.stop() if self._process is not None else None

    def kill(self) -> None:
        """End it at once."""
        self.retired = True
        if self._process is not None:
            self._process.kill()

    async def _command(self) -> Command:
        registration, run = self.registration, self.registration.run
        given = {name: self._ground.environ[name] for name in run.environment if name in self._ground.environ}
        welcome = await self._ground.welcome(registration.name, self.instance_id, registration.digest)
        return Command(
            self._ground.content.path(registration.digest),
            registration.digest,
            [registration.name, *run.arguments],
            {**minimal_environment(), **given, **welcome},
            run.resources.model_dump(),
            run.stop_grace,
        )

    async def _connected(self, process: PluginProcess) -> None:
        """Until it is in the registry. StoreUnavailable where it ends before."""
        while self.entry is None:
            if not process.running:
                how = told(await process.ended())
                raise StoreUnavailable(f"it {how} before it connected{self._too_late()}")
            await asyncio.sleep(_POLL_SECONDS)

    def _too_late(self) -> str:
        """What to know of one that could not enrol any more."""
        if self.entry is not None or time.monotonic() - self.started_at < LONGEST_LIFE:
            return ""
        return f"; a plugin has {LONGEST_LIFE:g} s to enrol, and does what takes long after that"


def told(code: int) -> str:
    """An exit code in words."""
    return f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
