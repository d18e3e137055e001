"""The Control service: answers about the process, and calls to its plugins."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from store_plugin import __version__
from store_plugin._proto import control_pb2 as proto
from store_plugin.dispatch.state import Counts
from store_plugin.errors import InvalidRequest
from store_plugin.sidecar.control.times import timestamp
from store_plugin.stream.frames import duration, seconds

LOG_LEVELS = ("debug", "info", "warning", "error")
DEFAULT_TIMEOUT = 30.0
"""Seconds for a call to a plugin."""


class PluginShown(Protocol):
    """A connected instance, as `store_plugin.sidecar.hub.states.PluginState`."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def kinds(self) -> tuple[str, ...]: ...
    @property
    def services(self) -> tuple[str, ...]: ...
    @property
    def since(self) -> str: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def silent_for(self) -> float: ...


class KindShown(Protocol):
    """A kind of store config that a plugin has brought, as `store_plugin.hub.peer.PluginKind`."""

    @property
    def api_version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def plural(self) -> str: ...
    @property
    def spec_schema(self) -> bytes: ...


class Plugins(Protocol):
    """The plugins of a sidecar that listens for them."""

    def states(self) -> Sequence[PluginShown]: ...

    def brought(self) -> Sequence[tuple[str, KindShown]]:
        """Each kind that came, with the name of its plugin."""
        ...

    def groups(self) -> Sequence[str]:
        """The API groups that plugins may bring kinds of, as patterns."""
        ...

    async def call(self, name: str, method: str, payload: bytes, timeout: float) -> bytes:
        """One unary call; CallFailed, InvalidRequest, PluginDisconnected."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """The process as the service sees it."""

    listening: Sequence[str]
    serving: Callable[[], bool]
    in_flight: Callable[[], int]
    configs: Callable[[], Counts]
    plugins: Plugins | None


class ControlService:
    """The methods; they raise StorePluginError and CallFailed."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._started = datetime.now(UTC)

    async def status(self, request: proto.StatusRequest) -> proto.StatusResponse:
        running = self._running
        configs = [
            proto.ConfigCount(kind=kind, state=state, number=number)
            for (kind, state), number in sorted(running.configs().configs.items())
        ]
        return proto.StatusResponse(
            version=__version__,
            serving=running.serving(),
            started=timestamp(self._started),
            listening=running.listening,
            in_flight=running.in_flight(),
            configs=configs,
            plugins=len(running.plugins.states()) if running.plugins is not None else 0,
            log_level=logging.getLevelName(logging.getLogger().level).lower(),
        )

    async def plugins(self, request: proto.PluginsRequest) -> proto.PluginsResponse:
        return proto.PluginsResponse(plugins=map(_plugin, self._connected().states()))

    async def kinds(self, request: proto.KindsRequest) -> proto.KindsResponse:
        plugins = self._running.plugins
        if plugins is None:  # then there are none, which is no mistake of who asks
            return proto.KindsResponse()
        kinds = [
            proto.Kind(
                plugin=plugin,
                api_version=kind.api_version,
                kind=kind.kind,
                plural=kind.plural,
                spec_schema=kind.spec_schema,
            )
            for plugin, kind in plugins.brought()
        ]
        return proto.KindsResponse(kinds=kinds, groups=plugins.groups())

    async def call_plugin(self, request: proto.CallPluginRequest) -> proto.CallPluginResponse:
        timeout = seconds(request.timeout) if request.HasField("timeout") else DEFAULT_TIMEOUT
        called = self._connected().call(request.name, request.method, request.payload, timeout)
        return proto.CallPluginResponse(payload=await called)

    async def set_log_level(self, request: proto.SetLogLevelRequest) -> proto.SetLogLevelResponse:
        if request.level not in LOG_LEVELS:
            raise InvalidRequest(f"no such log level; there are {', '.join(LOG_LEVELS)}")
        logging.getLogger().setLevel(request.level.upper())
        return proto.SetLogLevelResponse()

    def _connected(self) -> Plugins:
        if self._running.plugins is None:
            raise InvalidRequest("this sidecar takes no plugins: start it with --hub-listen or --plugins-dir")
        return self._running.plugins


def _plugin(state: PluginShown) -> proto.Plugin:
    return proto.Plugin(
        name=state.name,
        version=state.version,
        instance=state.instance,
        user=state.user,
        kinds=state.kinds,
        services=state.services,
        since=timestamp(datetime.fromisoformat(state.since)),
        in_flight=state.in_flight,
        silent_for=duration(state.silent_for),
    )
