"""A hub that is thrown away, and one plugin that is started to dial it.

The plugin finds the hub in STORE_PLUGIN_HUB_ENDPOINT, or where its command says `{endpoint}`. The
hub is an owner-only socket, so credentials travel over it; nothing of it is left afterwards.
"""

import asyncio
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from store_plugin.config.credentials.of_config import ConfigCredentials
from store_plugin.config.credentials.sources import CredentialSources
from store_plugin.endpoints import Endpoint
from store_plugin.enrolment import TRIAL_VARIABLE
from store_plugin.errors import InvalidRequest, KindNotServed, StorePluginError
from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.events import Listening
from store_plugin.hub.hub import Hub, HubListener
from store_plugin.hub.peer import Peer
from store_plugin.hub.registry import Registry
from store_plugin.hub.store_kinds.kinds import Kinds
from store_plugin.lifecycle.supervision.process import Command, PluginProcess
from store_plugin.log import StandardLogger
from store_plugin.store import Environment, Store
from store_plugin.trust import digest_of

CONNECT_SECONDS = 30.0
_PLACE = "{endpoint}"
_LAST_LINES = 10
_LIMITS: Mapping[str, int | None] = {"core_bytes": 0}
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started. `environment` is all that it sees, besides where the hub is."""

    executable: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoreManifest:
    """The store config that a plugin is tried with."""

    api_version: str
    kind: str
    name: str
    spec: Mapping[str, object] = field(repr=False)


@dataclass(slots=True)
class Trial:
    """A plugin that is connected."""

    peer: Peer
    process: PluginProcess
    kinds: Kinds
    environ: Mapping[str, str] = field(repr=False)
    """Where credential references of source Environment are taken from."""

    async def open(self, manifest: StoreManifest) -> Store:
        """A store of a kind that it brought. KindNotServed tells which it has; ConfigInvalid,
        and what the plugin raises."""
        made = self.kinds.of_plugins().get((manifest.api_version, manifest.kind))
        if made is None:
            there = ", ".join(f"{kind} ({version})" for version, kind in self.kinds) or "none"
            raise KindNotServed(
                f"the plugin does not serve {manifest.kind} ({manifest.api_version}); it has {there}"
            )
        try:
            spec = made.spec_model.model_validate(dict(manifest.spec))
        except ValueError as error:
            raise InvalidRequest(f"the spec does not fit the plugin's schema: {_problem(error)}") from None
        log = StandardLogger("store_plugin.trial")
        credentials = ConfigCredentials(spec, CredentialSources(self.environ, log))
        await credentials.load()
        return await made.open(spec, Environment(f"{manifest.kind}/{manifest.name}", credentials, log))


@asynccontextmanager
async def trial(
    launch: Launch, on_line: Callable[[str], None], environ: Mapping[str, str]
) -> AsyncIterator[Trial]:
    """Start a hub and the plugin; both end with the block. InvalidRequest where it does not connect,
    with the last lines it wrote."""
    last: deque[str] = deque(maxlen=_LAST_LINES)

    def hear(line: str) -> None:
        last.append(line)
        on_line(line)

    with tempfile.TemporaryDirectory(prefix="store-plugin-") as directory:
        endpoint = f"unix://{directory}/hub.sock"
        registry = Registry()
        kinds = Kinds({}, registry, ("*",))
        hub = Hub(
            [HubListener(Endpoint.parse(endpoint), anyone, any_name)],
            registry=registry,
            admit=_admit(kinds, hear),
        )
        async with hub:
            process = await PluginProcess.start(await asyncio.to_thread(_command, launch, endpoint), hear)
            try:
                peer = await _connected(registry, process, last)
                yield Trial(peer, process, kinds, environ)
            finally:
                await process.stop()
                await process.drained()


def _admit(kinds: Kinds, hear: Callable[[str], None]) -> Callable[[Peer], None]:
    def admit(peer: Peer) -> None:
        try:
            kinds.check(peer)
        except StorePluginError as error:
            hear(f"the hub refuses it: {error.message}")
            raise
        kinds.take(peer)

    return admit


def _command(launch: Launch, endpoint: str) -> Command:
    return Command(
        launch.executable,
        digest_of(launch.executable),
        [str(launch.executable), *(argument.replace(_PLACE, endpoint) for argument in launch.arguments)],
        {**launch.environment, TRIAL_VARIABLE: endpoint},
        _LIMITS,
        _GRACE,
    )


async def _connected(registry: Registry, process: PluginProcess, last: deque[str]) -> Peer:
    """At once when it is in: before anything that it says of that."""
    with registry.events.listen() as happening:
        coming = asyncio.create_task(_first_in(registry, happening), name="trial connects")
        ended = asyncio.create_task(process.ended(), name="trial ends")
        try:
            await asyncio.wait((coming, ended), timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
            if ended.done():
                await process.drained()
                raise InvalidRequest(f"it ended with code {ended.result()} before it connected{_said(last)}")
        finally:
            coming.cancel()
            ended.cancel()
    raise InvalidRequest(
        f"it did not connect within {CONNECT_SECONDS:g} s: it has to dial ${TRIAL_VARIABLE}, or the "
        f"argument {_PLACE}{_said(last)}"
    )


async def _first_in(registry: Registry, happening: Listening) -> Peer:
    while not (entries := registry.entries()):
        await anext(happening)
    return entries[0].instance.peer


def _said(last: deque[str]) -> str:
    return "; it wrote:\n" + "\n".join(f"  {line}" for line in last) if last else ""


def _problem(error: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return "it cannot be read"
    return "; ".join(found["msg"] for found in error.errors(include_input=False, include_url=False)[:5])
