"""The watch for operators that work with threads: on an event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

from store_plugin.cluster_api import ApiClient
from store_plugin.errors import StoreUnavailable
from store_plugin.runtime.sources.watched import WatchedStoreConfigs
from store_plugin.runtime.store_config import DEFAULT_API_VERSION, StoreConfig
from store_plugin.watching.following import LISTED_WITHIN

_LATE = 10.0
"""Seconds that a thread may be late, on a busy machine."""


class ClosableClient(ApiClient, Protocol):
    """An ApiClient of `kubernetes.aio.client`."""

    def close(self) -> Awaitable[None]: ...


class ThreadedStoreConfigs:
    """`WatchedStoreConfigs` for DetailsManager, as a context manager.

    `connect` makes the client, on the loop that it is to work on: for instance
    `kubernetes.aio.config.new_client_from_config`, or a coroutine function that loads the
    Pod's own configuration. It is closed at the end. Entering raises what it raises, and
    StoreUnavailable where it, or the first listing, takes longer than `synced_within` seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[ClosableClient]],
        api_version: str = DEFAULT_API_VERSION,
        *,
        synced_within: float = LISTED_WITHIN,
    ) -> None:
        self._connect = connect
        self._api_version = api_version
        self._synced_within = synced_within
        self._runner = asyncio.Runner()
        self._configs: WatchedStoreConfigs | None = None
        self._entered = threading.Event()
        self._failure: BaseException | None = None
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name="watch of StoreConfigs", daemon=True)

    def get(self, name: str) -> StoreConfig:
        """The StoreConfig as last seen. ConfigNotFound, ConfigInvalid."""
        if self._configs is None:
            raise RuntimeError("StoreConfigs are watched inside of the context manager only")
        return self._configs.get(name)

    def __enter__(self) -> Self:
        self._thread.start()
        # Connecting and listing have a time each; this ends a wait for a loop that does not run.
        patience = 2 * self._synced_within + _LATE
        if not self._entered.wait(patience):
            self._stop()
            raise StoreUnavailable(
                f"no StoreConfigs within {patience:g} s: does connect block its event loop?"
            )
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._thread.join()

    def _run(self) -> None:
        with self._runner as runner:
            try:
                runner.run(self._watch())
            except BaseException as error:  # handed to the thread that waits for it
                self._failure = error
            finally:
                self._entered.set()

    async def _watch(self) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        client = await self._connected()
        try:
            watched = WatchedStoreConfigs(client, self._api_version, synced_within=self._synced_within)
            async with watched as configs:
                self._configs = configs
                self._entered.set()
                await stopped.wait()
        finally:
            await client.close()

    async def _connected(self) -> ClosableClient:
        try:
            async with asyncio.timeout(self._synced_within) as limit:
                return await self._connect()
        except TimeoutError:
            if not limit.expired():
                raise
            told = f"no client of the API server within {self._synced_within:g} s: look at what connects"
            raise StoreUnavailable(told) from None
