"""Store configs opened in this process, for commands that need no running sidecar."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from store_plugin.config.directory import DirectorySource
from store_plugin.config.kinds import Kinds
from store_plugin.config.table import ConfigTable
from store_plugin.dispatch.router import Router
from store_plugin.engine import LocationLocks
from store_plugin.errors import Code, StoreUnavailable
from store_plugin.store import Logger, served_kinds

if TYPE_CHECKING:
    from store_plugin.access.members import FleetMembers

_LOAD_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class OpenConfigs:
    """Store configs as they are declared, and the way to their stores."""

    table: ConfigTable
    router: Router


@asynccontextmanager
async def open_directory(
    directory: Path, kinds: Kinds | None = None, fleet: "FleetMembers | None" = None
) -> AsyncIterator[OpenConfigs]:
    """The directory as it is now; its stores are opened when they are first used, and
    closed at the end, `fleet` too. `kinds`: left out, those installed."""
    kinds, table, log = served_kinds() if kinds is None else kinds, ConfigTable(), _Silent()
    await DirectorySource(directory, kinds, table, log, os.environ).load()
    async with _opened(table, kinds, log, fleet) as opened:
        yield opened


@asynccontextmanager
async def open_cluster(
    kubeconfig: Path | None,
    context: str | None,
    kinds: Kinds | None = None,
    fleet: "FleetMembers | None" = None,
) -> AsyncIterator[OpenConfigs]:
    """The same of a cluster. StoreUnavailable where it does not answer for a while."""
    from store_plugin.cluster import connected
    from store_plugin.cluster_api import ClusterApi
    from store_plugin.config.kubernetes.source import KubernetesSource

    kinds, table, log = served_kinds() if kinds is None else kinds, ConfigTable(), _Silent()
    async with connected(kubeconfig, context) as client:
        source = KubernetesSource(ClusterApi(client), kinds, table, log, os.environ)
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                await source.load()
        except TimeoutError:
            raise StoreUnavailable(f"the API server told no configs within {_LOAD_SECONDS:g} s") from None
        async with _opened(table, kinds, log, fleet) as opened:
            yield opened


@asynccontextmanager
async def _opened(
    table: ConfigTable, kinds: Kinds, log: Logger, fleet: "FleetMembers | None"
) -> AsyncIterator[OpenConfigs]:
    router = Router(table, kinds, LocationLocks(), log, _unobserved, fleet=fleet)
    try:
        yield OpenConfigs(table, router)
    finally:
        await router.aclose()
        if fleet is not None:
            await fleet.aclose()


class _Silent:
    """A logger that says nothing: these commands print what they find."""

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


def _unobserved(kind: str, verb: str, code: Code, seconds: float, /) -> None:
    """Calls to stores are not measured here."""
