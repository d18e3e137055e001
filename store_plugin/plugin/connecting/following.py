"""Follows a hub's name: its addresses come and go, and each has a link while it is one of them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from store_plugin.errors import NotReachable
from store_plugin.log import Logger
from store_plugin.plugin.connecting.dialing import Door, addresses
from store_plugin.plugin.connecting.links import Links
from store_plugin.stream import frames

RESOLVE_SECONDS = 30.0
"""How often the hub's name is looked up again."""
UNRESOLVED_SECONDS = 1.0
"""The same while it has no address, and the least between two look-ups."""


class Following:
    """Belongs to one event loop. `registration`: what a new link registers with."""

    def __init__(
        self, door: Door, links: Links, registration: Callable[[], frames.Frame], log: Logger
    ) -> None:
        self._door = door
        self._links = links
        self._registration = registration
        self._log = log
        self._lost = asyncio.Event()
        self._problem = ""

    def lost(self) -> None:
        """There is no stream to one of the addresses: perhaps that hub has another one now."""
        self._lost.set()

    async def run(self) -> None:
        """Look the name up and follow it until cancelled."""
        while True:
            self._lost.clear()
            self._links.follow(await self._resolved(), self._registration())
            await asyncio.sleep(min(RESOLVE_SECONDS, UNRESOLVED_SECONDS))
            if self._links.targets:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, RESOLVE_SECONDS - UNRESOLVED_SECONDS)):
                        await self._lost.wait()

    async def _resolved(self) -> Sequence[str]:
        """Those of before where the name cannot be looked up, which is told once."""
        try:
            found = await addresses(self._door.endpoint)
        except NotReachable as error:
            if error.message != self._problem:
                self._problem = error.message
                self._log.warning("hub not found", error=error.message)
            return self._links.targets
        self._problem = ""
        return found
