"""A config directory opened in this process, for commands that need no running sidecar."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from store_plugin.config.directory import DirectorySource
from store_plugin.config.table import ConfigTable
from store_plugin.dispatch.router import Router
from store_plugin.engine import LocationLocks
from store_plugin.errors import Code
from store_plugin.store import served_kinds


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """Store configs as the directory declares them, and the way to their stores."""

    table: ConfigTable
    router: Router


@asynccontextmanager
async def open_directory(directory: Path) -> AsyncIterator[OpenDirectory]:
    """The directory as it is now; its stores are opened when they are first used, and
    closed at the end."""
    kinds, table, log = served_kinds(), ConfigTable(), _Silent()
    await DirectorySource(directory, kinds, table, log, os.environ).load()
    router = Router(table, kinds, LocationLocks(), log, _unobserved)
    try:
        yield OpenDirectory(table, router)
    finally:
        await router.aclose()


class _Silent:
    """A logger that says nothing: these commands print what they find."""

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


def _unobserved(kind: str, verb: str, code: Code, seconds: float, /) -> None:
    """Calls to stores are not measured here."""
