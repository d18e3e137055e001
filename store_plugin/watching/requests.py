"""Lists and watches as an API server answers them, and what its refusals mean for them."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from store_plugin import deep_json
from store_plugin.cluster_api import ClusterApi, Json, an_answer
from store_plugin.errors import (
    ConfigInvalid,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
)

PAGE = 500
"""Objects in one answer to a list."""
_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 150.0
"""A watch that says nothing for so long is dead: a bookmark comes about every minute."""


class Forgotten(Exception):
    """The API server no longer knows where a list or a watch stopped: list again."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What is listed and watched."""

    what: str
    """For messages: `VaultConfigs`."""
    path: str
    names: Mapping[str, str]
    """Put into `{}` of the path, quoted."""
    selector: str = ""
    """Of fields."""
    advice: str = ""
    """What to do where there is no such collection."""

    def query(self, **more: str) -> dict[str, str]:
        return ({"fieldSelector": self.selector} if self.selector else {}) | more


@dataclass(slots=True)
class Listing:
    """The pages of a list; `version` is known after the last one."""

    api: ClusterApi
    collection: Collection
    version: str = ""

    async def pages(self) -> AsyncIterator[list[Json]]:
        """Raises Forgotten where the list took too long, and errors of ours."""
        after = ""
        while True:
            query = self.collection.query(limit=str(PAGE), **({"continue": after} if after else {}))
            status, answer = await self.api.answer(
                "GET", self.collection.path, self.collection.names, query=query
            )
            if status != 200:
                raise refusal(self.collection, "list", status, answer)
            metadata = answer.get("metadata") or {}
            if not metadata.get("resourceVersion"):  # a proxy's page, say: nobody's configs are gone
                raise StoreUnavailable(f"what answers is no list of {self.collection.what}")
            yield answer.get("items") or []
            after = str(metadata.get("continue") or "")
            if not after:
                self.version = str(metadata["resourceVersion"])
                return


@dataclass(frozen=True, slots=True)
class Event:
    """A change: `gone`, or as it is now."""

    gone: bool
    object: Json = field(repr=False)


@dataclass(slots=True)
class Events:
    """The changes since `version`, which moves on with them."""

    api: ClusterApi
    collection: Collection
    version: str

    async def batches(self, seconds: int) -> AsyncGenerator[list[Event], None]:
        """What came together, until the server ends the watch, after about so many seconds.

        The first batch is empty: the watch has begun. Raises Forgotten, and errors of ours.
        """
        query = self.collection.query(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=self.version,
            timeoutSeconds=str(seconds),
        )
        response = await self.api.stream(self.collection.path, self.collection.names, query, _timeout())
        try:
            if response.status != 200:
                raise refusal(self.collection, "watch", response.status, await _told(response))
            yield []
            async for lines in _lines(response.content):
                yield [event for event in map(self._event, lines) if event is not None]
        finally:
            response.close()

    def _event(self, line: bytes) -> Event | None:
        try:
            event: Json = deep_json.loads(line)
            found: Json = event["object"]
            kind = event["type"]
            version = (found.get("metadata") or {}).get("resourceVersion")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise StoreUnavailable("the API server sent a line that is no event") from None
        if kind == "ERROR":
            # Whatever it is, as a version that a restored server does not have yet.
            raise Forgotten
        self.version = str(version or self.version)
        return None if kind == "BOOKMARK" else Event(kind == "DELETED", found)


def _timeout() -> object:
    """Of a watch: none in all, but for each thing that is waited for."""
    from aiohttp import ClientTimeout

    return ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_IDLE_SECONDS)


def refusal(collection: Collection, verb: str, status: int, answer: Json) -> StorePluginError:
    """What a status means; raises Forgotten where listing again is the answer. The text of the
    API server is not passed on: it may quote anything."""
    what = collection.what
    if status == 410 or (verb == "watch" and status in (400, 504)):
        raise Forgotten
    if status == 401:
        return LoginRefused("the API server does not accept the token of this ServiceAccount")
    if status == 403:
        return StoreDenied(f"this ServiceAccount may not {verb} {what}: add list and watch to its role")
    if status == 404:
        return ConfigInvalid(f"the API server has no {what}: {collection.advice}")
    reason = str(answer.get("reason") or "no reason given")[:64]
    return StoreUnavailable(f"the API server could not {verb} {what}: {status} {reason}")


async def _told(response: Any) -> Json:
    try:
        answer = json.loads(await response.read())
    except Exception:  # not worth an error of its own: the status says what counts
        return {}
    return answer if isinstance(answer, dict) else {}


async def _lines(content: Any) -> AsyncIterator[list[bytes]]:
    """Whole lines that came together, of a response that may end at any time; what it ends
    within is told again by the next watch."""
    rest = b""
    while True:
        with an_answer():
            chunk = await content.readany()
        if not chunk:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield whole
