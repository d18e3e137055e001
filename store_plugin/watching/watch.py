"""One collection of objects, followed for ever: listed, then watched from there on.

A watch that ends or breaks goes on where it stopped, so that a restarted API server is not
asked by everybody for everything. Only where it has forgotten that place, it is listed again.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Protocol

from store_plugin.cluster_api import ClusterApi, Json
from store_plugin.errors import StorePluginError, StoreUnavailable
from store_plugin.log import Logger
from store_plugin.watching.pauses import Pauses
from store_plugin.watching.requests import Collection, Event, Events, Forgotten, Listing
from store_plugin.watching.state import WatchState

_SHORTEST_WATCH = 240
_LONGEST_WATCH = 480
"""Seconds that the server is asked for; the actual one is somewhere between the two."""
_LASTED = 5.0
"""Seconds after which a watch is no longer one that a server ended at once."""
_LONGEST_BETWEEN = 1.0
"""Seconds between two watches at most, where the server took the first: an API server that
starts ends some, and what changes meanwhile must not go unseen for long."""


class Target(Protocol):
    """What a watch fills."""

    async def listed(self, pages: AsyncIterator[list[Json]]) -> None:
        """All there is, and nothing else. Whatever the pages raise goes through."""
        ...

    async def changed(self, events: list[Event]) -> None:
        """Changes, in their order."""
        ...


class Watch:
    """Follows one collection. `await list_once()`, then own a task of `run()`."""

    def __init__(
        self, api: ClusterApi, collection: Collection, target: Target, log: Logger, pauses: Pauses
    ) -> None:
        self._api = api
        self._collection = collection
        self._target = target
        self._log = log
        self._pauses = pauses
        self._version = ""
        self._listed = False
        self._again = False
        self._waiting: asyncio.Timeout | None = None
        """While it waits for events; what it takes in is never interrupted."""
        self._began = False
        self._problem: str | None = None
        self._behind_since: float | None = asyncio.get_running_loop().time()

    @property
    def state(self) -> WatchState:
        """How well it follows."""
        since = self._behind_since
        behind = 0.0 if since is None else asyncio.get_running_loop().time() - since
        return WatchState(self._collection.what, since is None, behind, self._problem, self._listed)

    async def list_once(self) -> StorePluginError | None:
        """List until there is an answer, be it a refusal: that is returned, and in `state`."""
        pauses = self._pauses.start()
        while True:
            try:
                await self._list()
            except Forgotten:
                pass
            except StoreUnavailable as error:
                self._fail(error)
            except StorePluginError as error:
                self._fail(error)
                return error
            else:
                return None
            await asyncio.sleep(pauses.next())

    def list_again(self) -> None:
        """Have the objects listed again soon: what they mean has changed."""
        self._again = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Follow until cancelled."""
        lost, ended = self._pauses.start(), self._pauses.up_to(_LONGEST_BETWEEN).start()
        loop = asyncio.get_running_loop()
        while True:
            started, self._began = loop.time(), False
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Forgotten:
                self._version = ""
            except StorePluginError as error:
                self._fail(error)
            if self._began:
                lost.reset()
            if loop.time() > started + _LASTED:
                ended.reset()
            await asyncio.sleep(ended.next() if self._began else lost.next())

    async def _list(self) -> None:
        self._again = False
        listing = Listing(self._api, self._collection)
        await self._target.listed(listing.pages())
        self._version = listing.version
        self._listed = True
        self._follows()

    async def _watch(self) -> None:
        events = Events(self._api, self._collection, self._version)
        batches = events.batches(random.randint(_SHORTEST_WATCH, _LONGEST_WATCH))
        async with aclosing(batches):
            while (batch := await self._next(batches)) is not None:
                self._began = True
                self._follows()
                if batch:
                    await self._target.changed(batch)
                self._version = events.version

    async def _next(self, batches: AsyncIterator[list[Event]]) -> list[Event] | None:
        """The next batch; None after the last. Forgotten where all is to be listed again."""
        if self._again:
            raise Forgotten
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await anext(batches, None)
        except TimeoutError:
            raise Forgotten from None
        finally:
            self._waiting = None

    def _follows(self) -> None:
        if self._problem is not None:
            self._log.info("watch goes on", what=self._collection.what)
        self._problem = self._behind_since = None

    def _fail(self, error: StorePluginError) -> None:
        if self._behind_since is None:
            self._behind_since = asyncio.get_running_loop().time()
        if self._problem != error.message:
            self._problem = error.message
            consequence = "the last state serves" if self._listed else "nothing is known yet"
            self._log.warning(
                "watch lost", what=self._collection.what, problem=error.message, consequence=consequence
            )
