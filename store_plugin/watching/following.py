"""A watch for as long as somebody is inside: it lists, then a task follows it until that leaves."""

import asyncio
from collections.abc import Callable, Sequence

from store_plugin.cluster_api import ClusterApi
from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable
from store_plugin.log import Logger
from store_plugin.watching.pauses import Pauses
from store_plugin.watching.requests import Collection
from store_plugin.watching.watch import Target, Watch

LISTED_WITHIN = 30.0
"""Seconds that the first listing may take, all attempts together."""


class Following:
    """Of the first of some collections that the API server has: the versions of one kind, say.

    `ended` is called when nothing is followed any more, because of `stop` or of a bug.
    """

    def __init__(
        self,
        api: ClusterApi,
        collections: Sequence[Collection],
        target: Target,
        log: Logger,
        *,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._collections = collections
        self._target = target
        self._log = log
        self._ended = ended
        self._task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        """Whether it has listed, and was not stopped."""
        return self._task is not None

    async def start(self, within: float) -> None:
        """List, and follow from there on. StoreUnavailable where no listing succeeds within so many
        seconds; at once what a server answers that refuses it: LoginRefused, StoreDenied,
        ConfigInvalid."""
        watch: Watch | None = None
        refused: StorePluginError | None = None
        try:
            async with asyncio.timeout(within):
                for collection in self._collections:
                    watch = Watch(self._api, collection, self._target, self._log, Pauses())
                    refused = await watch.list_once()
                    if not isinstance(refused, ConfigInvalid):
                        break
        except TimeoutError:
            problem = watch.state.problem if watch else None
            raise StoreUnavailable(
                f"no list of {self._collections[0].what} within {within:g} s: "
                f"{problem or 'does the API server answer?'}"
            ) from None
        if refused is not None:
            raise refused
        assert watch is not None
        self._task = asyncio.create_task(watch.run(), name=f"watch of {self._collections[0].what}")
        self._task.add_done_callback(lambda _: self._ended())

    def check(self) -> None:
        """Raise what ended the watch, where that is over: it never ends by itself, so it is a bug to
        be seen."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Follow no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
