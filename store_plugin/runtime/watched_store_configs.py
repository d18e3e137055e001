"""StoreConfigs of the cluster, kept up to date by a watch: publishing makes no request more.

When the API server is away, the last state known serves, and the watch goes on by itself
once it is back: where it stopped, or with a new listing where the server has forgotten that.
"""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

from store_plugin.cluster_api import ApiClient, ClusterApi, Json, an_answer
from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable
from store_plugin.runtime.cluster_store_configs import COLLECTION, collection
from store_plugin.runtime.sources import not_found
from store_plugin.runtime.store_config import DEFAULT_API_VERSION, KIND, StoreConfig

SYNCED_WITHIN = 30.0
"""Seconds that the first listing may take, all attempts together."""
_WATCH_SECONDS = 300
_GRACE_SECONDS = 30
"""How much longer than the server was asked for a watch is waited for."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 15.0

_log = logging.getLogger(__name__)


class _Forgotten(Exception):
    """The server no longer knows where the watch stopped."""


class WatchedStoreConfigs:
    """For AsyncDetailsManager. An asynchronous context manager: inside of it the watch runs.

        async with WatchedStoreConfigs(api, "gcp.crossplane.io/v1alpha1") as configs:
            manager = AsyncDetailsManager(configs)

    `client` is an ApiClient of `kubernetes.aio.client`. Entering raises StoreUnavailable
    where no listing succeeds within `synced_within` seconds, and at once what a server
    answers that refuses it.
    """

    def __init__(
        self,
        client: ApiClient,
        api_version: str = DEFAULT_API_VERSION,
        *,
        synced_within: float = SYNCED_WITHIN,
    ) -> None:
        self._api = ClusterApi(client)
        self._place = collection(api_version)
        self._synced_within = synced_within
        self._manifests: dict[str, Json] = {}
        self._version = ""
        self._task: asyncio.Task[None] | None = None

    def get(self, name: str) -> StoreConfig:
        """The StoreConfig as last seen. ConfigNotFound, ConfigInvalid."""
        if self._task is not None and self._task.done():
            self._task.result()  # it never ends by itself: whatever ended it is a bug to be seen
        manifest = self._manifests.get(name)
        if manifest is None:
            raise not_found(name)
        return StoreConfig.from_manifest(manifest)

    async def __aenter__(self) -> Self:
        await self._first_list()
        self._task = asyncio.create_task(self._follow(), name=f"watch of {KIND}s")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _first_list(self) -> None:
        pause = _FIRST_PAUSE
        try:
            async with asyncio.timeout(self._synced_within):
                while True:
                    try:
                        return await self._list()
                    except StoreUnavailable as error:
                        _log.warning("StoreConfigs cannot be listed yet: %s", error)
                    await asyncio.sleep(random.uniform(pause / 2, pause))
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            raise StoreUnavailable(
                f"no list of {KIND}s within {self._synced_within:g} s: does the API server answer?"
            ) from None

    async def _follow(self) -> None:
        """For ever: until the context is left."""
        pause = _FIRST_PAUSE
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause = _FIRST_PAUSE
            except _Forgotten:
                self._version = ""
            except StorePluginError as error:
                _log.warning("the watch of StoreConfigs was lost, the last state serves: %s", error)
                if not isinstance(error, StoreUnavailable):
                    self._version = ""  # refused: by a server that may know it no longer
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _list(self) -> None:
        listing = await self._api.find(COLLECTION, **self._place)
        if listing is None:
            group = f"{self._place['group']}/{self._place['version']}"
            raise ConfigInvalid(f"the API server has no {KIND}s in {group}: apply the operator's CRDs first")
        self._manifests = {_name(item): item for item in listing.get("items") or []}
        self._version = _version(listing)

    async def _watch(self) -> None:
        """Follow changes until the server ends the watch, as it does from time to time."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        seconds = _WATCH_SECONDS + _GRACE_SECONDS
        response = await self._api.open(COLLECTION, query, seconds, **self._place)
        try:
            async for line in _lines(response.response.content):
                self._take(json.loads(line))
        except ValueError as error:
            raise StoreUnavailable("the watch was cut within a line") from error
        finally:
            response.response.close()

    def _take(self, event: Json) -> None:
        found: Json = event.get("object") or {}
        match event.get("type"):
            case "ERROR":
                _raise_error(found)
            case "DELETED":
                self._manifests.pop(_name(found), None)
            case "ADDED" | "MODIFIED":
                self._manifests[_name(found)] = found
        self._version = _version(found) or self._version


def _raise_error(status: Json) -> None:
    if status.get("code") == 410:
        raise _Forgotten
    raise StoreUnavailable(f"the API server ends the watch: {status.get('message')}")


async def _lines(content: Any) -> AsyncIterator[bytes]:
    """Whole lines, of any length, of a response that may end at any time."""
    rest = b""
    with an_answer():
        async for chunk in content.iter_any():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line


def _name(manifest: Json) -> str:
    return str(_metadata(manifest).get("name", ""))


def _version(manifest: Json) -> str:
    return str(_metadata(manifest).get("resourceVersion", ""))


def _metadata(manifest: Json) -> Mapping[str, Any]:
    return manifest.get("metadata") or {}
