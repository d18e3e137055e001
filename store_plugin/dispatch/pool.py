"""Open stores: one per config and generation, opened by the first request, closed when the
last lease on it ends.

A changed config swaps its store: new leases go to the new one, requests that hold a lease
finish on the old one. The pool owns the tasks that open and close.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from store_plugin.config.table import LoadedConfig
from store_plugin.dispatch.failures import naming, told
from store_plugin.dispatch.lease import Entry, Lease, OpenStore
from store_plugin.errors import StoreUnavailable
from store_plugin.model import ConfigReference
from store_plugin.spec import StoreSpec
from store_plugin.store import Logger

OPEN_SECONDS = 30.0
"""Longest that opening a store may take."""
CLOSE_SECONDS = 10.0
"""Longest that closing a store may take."""
RETRY_SECONDS = 0.5
"""For how long a failure to open is remembered, so that a broken config costs no more
than two attempts a second."""


Open = Callable[[LoadedConfig], Awaitable[OpenStore]]


class Pool:
    """The open stores of a process. Belongs to one event loop."""

    def __init__(self, open_store: Open, log: Logger) -> None:
        self._open_store = open_store
        self._log = log
        self._current: dict[ConfigReference, Entry] = {}
        self._retired: set[Entry] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()
        self._closing = False

    async def lease(self, config: LoadedConfig, spec: StoreSpec) -> Lease:
        """A lease on the store of the config; `retire` goes before another generation.

        Opens the store where it is not open, together with whoever else waits for it, and
        raises what opening raised. Costs no trip to the event loop where it is open.
        """
        entry = self._current.get(config.reference) or self._enter(config)
        entry.leases += 1
        try:
            opened = entry.opened or await self._opened(entry)
        except BaseException:
            self._release(entry)
            raise
        return Lease(entry, opened, spec, self._release)

    def retire(self, reference: ConfigReference, *, except_generation: int | None = None) -> None:
        """Give out no more leases on the store of a config, and close it after the last one;
        not if it is of that generation."""
        entry = self._current.get(reference)
        if entry is None or entry.config.generation == except_generation:
            return
        del self._current[reference]
        entry.retired = True
        self._retired.add(entry)
        self._close_if_idle(entry)

    def entry(self, reference: ConfigReference) -> Entry | None:
        """Of the current generation of a config; None before its first request."""
        return self._current.get(reference)

    def entries(self) -> list[Entry]:
        """Of the current generation of every config that had a request."""
        return list(self._current.values())

    def leases(self, reference: ConfigReference) -> int:
        """Of all generations of a config."""
        leases = sum(entry.leases for entry in self._retired if entry.config.reference == reference)
        entry = self._current.get(reference)
        return leases if entry is None else leases + entry.leases

    async def aclose(self, wait: float = CLOSE_SECONDS) -> None:
        """Give out no more leases, wait for those there are for `wait` seconds, close all
        stores. What is still in use after that is closed all the same."""
        self._closing = True
        for reference in list(self._current):
            self.retire(reference)
        try:
            await self._wait_until_empty(wait)
            for entry in list(self._retired):
                self._force(entry)
            await self._wait_until_empty(CLOSE_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _enter(self, config: LoadedConfig) -> Entry:
        if self._closing:
            raise _stopping()
        entry = self._current[config.reference] = Entry(config)
        return entry

    async def _opened(self, entry: Entry) -> OpenStore:
        """Wait for the one attempt to open that all waiters share; it goes on without them."""
        if entry.opening is None:
            if entry.failure is not None and asyncio.get_running_loop().time() < entry.retry_at:
                raise _failure_of(entry)
            entry.opening = self._own(self._open(entry))
        await asyncio.wait((entry.opening,))
        if entry.opened is None:
            raise _failure_of(entry)
        return entry.opened

    async def _open(self, entry: Entry) -> None:
        limit = asyncio.timeout(OPEN_SECONDS)
        try:
            async with limit:
                entry.opened = await self._open_store(entry.config)
            entry.failure = None
        except Exception as error:
            slow = StoreUnavailable(f"{entry.config.reference} was not open after {OPEN_SECONDS:g} s")
            self._fail(entry, slow if limit.expired() else error)
        finally:
            entry.opening = None
            self._close_if_idle(entry)

    def _fail(self, entry: Entry, error: Exception) -> None:
        if entry.failure is None or told(entry.failure) != told(error):
            self._log.warning("store cannot be opened", config=str(entry.config.reference), error=told(error))
        entry.failure = error
        entry.retry_at = asyncio.get_running_loop().time() + RETRY_SECONDS

    def _release(self, entry: Entry) -> None:
        entry.leases -= 1
        self._close_if_idle(entry)

    def _close_if_idle(self, entry: Entry) -> None:
        if entry.retired and entry.idle and entry in self._retired:
            self._abandon(entry)

    def _abandon(self, entry: Entry) -> None:
        """Forget a retired entry and close its store."""
        self._retired.discard(entry)
        self._progress.set()
        if entry.opened is not None:
            self._own(self._close(entry.config.reference, entry.opened))

    def _force(self, entry: Entry) -> None:
        """End what still opens (whoever waits for it lets go then), close what is in use."""
        if entry.opening is not None:
            entry.opening.cancel()
            return
        self._log.warning(
            "store closed while in use", config=str(entry.config.reference), leases=entry.leases
        )
        self._abandon(entry)

    async def _close(self, reference: ConfigReference, opened: OpenStore) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await opened.guarded.aclose()
        except Exception as error:  # a store that fails to close must not keep others open
            self._log.warning("store failed to close", config=str(reference), error=type(error).__name__)

    def _own(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name="store")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._progress.set()

    async def _wait_until_empty(self, seconds: float) -> None:
        """Until no retired store is left and no task, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                while self._retired or self._tasks:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            pass


def _stopping() -> StoreUnavailable:
    return StoreUnavailable("the sidecar is stopping", retry_after=1.0)


def _failure_of(entry: Entry) -> Exception:
    """What whoever waited for the store is told."""
    failure = entry.failure or _stopping()
    return naming(entry.config.reference, failure).with_traceback(None)
