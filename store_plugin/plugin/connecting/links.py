"""Keeps every replica of a hub connected, as the addresses behind its name come and go."""

import asyncio
from collections.abc import Callable, Collection

from store_plugin.plugin.connecting.link import Link
from store_plugin.stream import frames


class Links:
    """One link for each address of the hub. `make` makes one to a target."""

    def __init__(self, make: Callable[[str], Link]) -> None:
        self._make = make
        self._running: dict[str, tuple[Link, asyncio.Task[None]]] = {}

    @property
    def targets(self) -> list[str]:
        """Those that are wanted."""
        return [target for target, (link, _) in self._running.items() if link.wanted]

    def follow(self, targets: Collection[str], registration: frames.Frame) -> None:
        """These are the hub's addresses now."""
        self._running = {target: one for target, one in self._running.items() if not one[1].done()}
        for target, (link, _) in self._running.items():
            link.wanted = target in targets
        for target in set(targets) - self._running.keys():
            link = self._make(target)
            self._running[target] = link, asyncio.create_task(link.run(registration), name="hub link")

    def retire(self) -> None:
        """Open no stream any more; those there are go on."""
        for link, _ in self._running.values():
            link.wanted = False

    async def aclose(self) -> None:
        """End all streams."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
