"""Members of a fleet as stores: only where an access config says how they are logged in to."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from store_plugin.config.declarations import Problem
from store_plugin.sidecar.settings import Settings
from store_plugin.store import Logger

if TYPE_CHECKING:
    from store_plugin.access.members import FleetMembers

_LONGEST_LINE = 500
_LOOK_EVERY = 1.0
"""Seconds between two looks at the access config."""


def fleet_of(settings: Settings, log: Logger) -> "FleetMembers | None":
    """What stores reach members with; nothing of it is imported where there are none. ConfigInvalid
    where the access config cannot be used. Blocking."""
    if settings.access_config is None:
        return None
    from store_plugin.access.members import FleetMembers, FleetOptions

    def on_output(provider: str, line: str) -> None:
        log.warning("exec plugin", provider=provider, line=line[:_LONGEST_LINE])

    return FleetMembers.of(
        FleetOptions(
            settings.access_config,
            settings.access_require_digest,
            settings.access_trusted_keys,
            settings.kubeconfig,
            settings.context,
        ),
        on_output,
    )


class AccessConfigWatch:
    """Tells what is wrong with the access config, also where no call needs it just now: a mistake is
    to be seen when it is made. Of one event loop."""

    def __init__(self, fleet: "FleetMembers", file: Path, log: Logger) -> None:
        self._fleet = fleet
        self._file = file
        self._log = log
        self._problem = ""

    @property
    def problems(self) -> Sequence[Problem]:
        """At most one, as it was at the last look."""
        return [Problem(str(self._file), 0, self._problem)] if self._problem else []

    async def follow(self) -> None:
        """Look at it for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Once."""
        problem = await asyncio.to_thread(self._fleet.look)
        if problem and problem != self._problem:
            self._log.warning("access config not renewed, the last one stays in force", problem=problem)
        elif self._problem and not problem:
            self._log.info("access config renewed")
        self._problem = problem
