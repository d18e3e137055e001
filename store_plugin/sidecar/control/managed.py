"""The part of the Control service about plugins that the sidecar runs itself."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Protocol

from store_plugin._proto import control_pb2 as proto
from store_plugin.errors import InvalidRequest
from store_plugin.lifecycle.supervision.output import Lines, Output
from store_plugin.lifecycle.supervision.states import PluginStatus
from store_plugin.sidecar.control.times import timestamp

LINES_AT_A_TIME = 100
BETWEEN_MESSAGES = 0.05
"""Seconds: so a flood of output costs the sidecar no more than it can spare, and its reader is
told what it has missed."""


class Managed(Protocol):
    """What runs the plugins, as `store_plugin.sidecar.hub.managed.ManagedPlugins`."""

    @property
    def directory(self) -> Path: ...

    def statuses(self) -> Sequence[PluginStatus]: ...

    def restart(self, name: str) -> None:
        """PluginNotFound."""
        ...

    def output(self, name: str) -> Output:
        """PluginNotFound."""
        ...

    async def catalog_changed(self) -> None:
        """What reading the catalog raises."""
        ...


class ManagedMethods:
    """The methods; they raise StorePluginError."""

    def __init__(self, managed: Managed | None) -> None:
        self._managed = managed

    async def managed_plugins(self, request: proto.ManagedPluginsRequest) -> proto.ManagedPluginsResponse:
        managed = self._running()
        return proto.ManagedPluginsResponse(
            directory=str(managed.directory), plugins=map(_plugin, managed.statuses())
        )

    async def restart_plugin(self, request: proto.RestartPluginRequest) -> proto.RestartPluginResponse:
        self._running().restart(request.name)
        return proto.RestartPluginResponse()

    async def catalog_changed(self, request: proto.CatalogChangedRequest) -> proto.CatalogChangedResponse:
        await self._running().catalog_changed()
        return proto.CatalogChangedResponse()

    async def plugin_output(
        self, request: proto.PluginOutputRequest
    ) -> AsyncGenerator[proto.PluginOutputResponse, None]:
        output = self._running().output(request.name)
        with output.followed(request.lines, on=request.follow) as follower:
            while (taken := await follower.take(LINES_AT_A_TIME)) is not None:
                yield _output(taken)
                await asyncio.sleep(BETWEEN_MESSAGES)

    def _running(self) -> Managed:
        if self._managed is None:
            raise InvalidRequest("this sidecar runs no plugins itself: start it with --plugins-dir")
        return self._managed


def _plugin(status: PluginStatus) -> proto.ManagedPlugin:
    return proto.ManagedPlugin(
        name=status.name,
        version=status.version,
        digest=status.digest,
        state=status.state.value,
        since=timestamp(status.since),
        restarts=status.restarts,
        instance=status.instance_id,
        pid=status.pid or 0,
        why=status.why,
        wanted_version=status.wanted_version,
    )


def _output(taken: Lines) -> proto.PluginOutputResponse:
    lines = [proto.OutputLine(at=timestamp(line.at), text=line.text) for line in taken.lines]
    return proto.PluginOutputResponse(lines=lines, lost=taken.lost)
