"""Goes round all configs and writes what their status does not say yet.

Slowly: the API server serves others too. Whoever changes nothing is asked for nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection

from store_plugin.bucket import TokenBucket, turn
from store_plugin.bugs import a_bug
from store_plugin.config.table import ConfigTable
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from store_plugin.sidecar.status.checking import Checks
from store_plugin.sidecar.status.conditions import Said, synced
from store_plugin.sidecar.status.writing import StatusApi
from store_plugin.store import Logger

_AT_ONCE = 4
"""Stores that are asked at a time."""
_RATE = 5.0
_BURST = 20
"""Configs looked at per second, and after a rest."""
_AGAIN_SECONDS = 5.0
"""Between two rounds."""

_Known = tuple[str, dict[str, Said]]


class StatusWriter:
    """Own a task of `run()`. `leading`: whether we are the one that writes;
    `generation`: of a config's object."""

    def __init__(
        self,
        api: StatusApi,
        table: ConfigTable,
        checks: Checks,
        leading: Callable[[], bool],
        generation: Callable[[ConfigReference], int],
        log: Logger,
    ) -> None:
        self._api = api
        self._table = table
        self._checks = checks
        self._leading = leading
        self._generation = generation
        self._log = log
        self._known: dict[ConfigReference, _Known] = {}
        self._changed: OrderedDict[ConfigReference, None] = OrderedDict()
        self._news = asyncio.Event()
        self._bucket = TokenBucket(_RATE, _BURST, asyncio.get_running_loop().time())
        self._problem: str | None = None

    async def run(self) -> None:
        """Write until cancelled; the configs that changed first."""
        stop = self._table.subscribe(self._on_change)
        try:
            while True:
                if self._leading():
                    await self._round()
                else:
                    self._known.clear()  # another one writes: what we know gets old
                await self._wait()
        finally:
            stop()

    def _on_change(self, changed: Collection[ConfigReference]) -> None:
        self._changed.update(dict.fromkeys(changed))
        self._news.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_AGAIN_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _round(self) -> None:
        todo = OrderedDict.fromkeys([*self._changed, *(config.reference for config in self._table.all())])
        self._changed.clear()
        turns = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for reference in todo:
                await turns.acquire()
                task = group.create_task(self._look_after(reference), name="status")
                task.add_done_callback(lambda _: turns.release())
                if not self._leading():
                    return

    async def _look_after(self, reference: ConfigReference) -> None:
        try:
            await self._update(reference)
            self._problem = None
        except StorePluginError as error:
            self._known.pop(reference, None)
            self._complain(reference, error.message)
        except Exception as error:  # a mistake here must not end the serving of secrets
            self._known.pop(reference, None)
            self._complain(reference, a_bug(error))

    def _complain(self, reference: ConfigReference, problem: str) -> None:
        """Once, until something works."""
        if self._problem != problem:
            self._problem = problem
            self._log.warning("status cannot be written", config=str(reference), problem=problem)

    async def _update(self, reference: ConfigReference) -> None:
        wanted = await self._wanted(reference)
        if wanted is None:
            self._known.pop(reference, None)
            self._checks.forget(reference)
            return
        known = self._known.get(reference)
        if known is None:
            await turn(self._bucket)
            known = await self._api.read(reference)
            if known is None:
                return
        uid, before = known
        now = {name: said.following(before.get(name)) for name, said in wanted.items()}
        if now != {name: before.get(name) for name in now} and self._leading():
            await turn(self._bucket)
            await self._api.write(reference, now)
            await self._tell(reference, uid, before, now)
        self._known[reference] = (uid, now)

    async def _wanted(self, reference: ConfigReference) -> dict[str, Said] | None:
        config = self._table.get(reference)
        if config is None:
            return None
        generation = self._generation(reference)
        taken = synced(config, generation)
        if config.spec is None:
            ready = Said("Ready", "False", "Invalid", "there never was a valid spec", generation)
        else:
            ready = await self._checks.ready(reference, generation, config.generation)
        return {said.type: said for said in (ready, taken)}

    async def _tell(
        self, reference: ConfigReference, uid: str, before: dict[str, Said], now: dict[str, Said]
    ) -> None:
        """An Event for each condition that has another status or reason; the first ones only
        where something is wrong."""
        for name, said in now.items():
            last = before.get(name)
            changed = last is not None and (last.status, last.reason) != (said.status, said.reason)
            if changed or (last is None and said.status != "True"):
                await turn(self._bucket)
                await self._api.tell(reference, uid, said)
