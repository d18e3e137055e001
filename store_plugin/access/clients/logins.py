"""One cluster's credential: fetched when it is needed, by one run of the plugin at a time.

It is kept until it expires or the API server refuses it, as client-go does. A hundred users of a
cluster, threads and coroutines alike, wait for the same run. A plugin that fails is not started
again at once: whoever asks within a second gets the same error. Nor is it for a server that
refuses whatever it gives.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from store_plugin.access.exec_credential import ExecStatus
from store_plugin.errors import StorePluginError, StoreUnavailable

PAUSE = 1.0
"""Seconds between runs that nobody's success or expiry asked for."""


def _now() -> datetime:
    return datetime.now(UTC)


class Login:
    """The credential of one cluster, for threads and for asyncio.

    Its copies are itself: a copied client configuration logs in as the one it was copied from.
    """

    def __init__(
        self,
        run: Callable[[], ExecStatus],
        pool: ThreadPoolExecutor,
        *,
        now: Callable[[], datetime] = _now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._pool = pool
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._status: ExecStatus | None = None
        self._under_way: Future[ExecStatus] | None = None
        self._failed_at: float | None = None
        self._refused_at: float | None = None

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Login":
        return self

    @property
    def known(self) -> ExecStatus | None:
        """The credential, if there is one now; nothing is run for it."""
        return self._status if self._lasts(self._status) else None

    def current(self) -> ExecStatus:
        """The credential. Blocking; the errors of `Runner.run`."""
        if known := self.known:
            return known
        return _answer(self._fetched())

    async def current_async(self) -> ExecStatus:
        """The same; whoever stops waiting ends nobody's run."""
        if known := self.known:
            return known
        fetching = self._fetched()
        await _ended(fetching)
        return _answer(fetching)

    def refused(self, status: ExecStatus) -> None:
        """A server refused this credential: the next call fetches another one, unless somebody
        has already, or one was fetched for that reason a moment ago."""
        with self._lock:
            if self._status is not status or self._is_recent(self._refused_at):
                return
            self._status, self._refused_at = None, self._clock()

    def _lasts(self, status: ExecStatus | None) -> bool:
        return status is not None and (status.expires is None or status.expires > self._now())

    def _fetched(self) -> "Future[ExecStatus]":
        with self._lock:
            if self._under_way is None or (self._under_way.done() and not self._is_fresh(self._under_way)):
                self._under_way = self._submit()
            return self._under_way

    def _is_fresh(self, ended: "Future[ExecStatus]") -> bool:
        """Whether a run that has ended still answers: with the credential that is in use, or with
        an error that is a moment old."""
        if self._failed_at is not None:
            return self._is_recent(self._failed_at)
        return self._lasts(self._status) and ended.result() is self._status

    def _is_recent(self, moment: float | None) -> bool:
        return moment is not None and self._clock() < moment + PAUSE

    def _submit(self) -> "Future[ExecStatus]":
        try:
            return self._pool.submit(self._fetch)
        except RuntimeError:
            raise StoreUnavailable("the access config was closed") from None

    def _fetch(self) -> ExecStatus:
        """On a thread of the pool, one at a time."""
        try:
            status = self._run()
        except BaseException:
            self._failed_at = self._clock()
            raise
        with self._lock:
            self._status, self._failed_at = status, None
        return status


async def _ended(fetching: "Future[ExecStatus]") -> None:
    """Wait for the end of a run, which goes on where nobody does; the loop may be gone by then."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def tell(_: "Future[ExecStatus]") -> None:
        try:
            loop.call_soon_threadsafe(wake)
        except RuntimeError:  # the loop is closed
            pass

    fetching.add_done_callback(tell)
    await waiter


def _answer(fetching: "Future[ExecStatus]") -> ExecStatus:
    """Of a run, once it has ended. An error that many wait for is raised as one of each's own: one
    that is raised again and again collects the tracebacks, and so the variables, of all."""
    error = fetching.exception()
    if isinstance(error, StorePluginError):
        raise type(error)(error.message, metadata=error.metadata, retry_after=error.retry_after)
    return fetching.result()
