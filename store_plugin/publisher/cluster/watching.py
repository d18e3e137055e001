"""Which Secrets there are, and that they changed: their metadata, never their values."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from store_plugin.cluster_api import ApiClient, ClusterApi, Json
from store_plugin.publisher.cluster.secrets import METADATA_ONLY
from store_plugin.publisher.queue import Key
from store_plugin.publisher.wishes.annotations import ASKING, FINALIZER, STATUS
from store_plugin.publisher.wishes.wish import CONNECTION_TYPE
from store_plugin.watching.requests import Collection, Event

_METADATA_LISTS = METADATA_ONLY.replace("PartialObjectMetadata", "PartialObjectMetadataList")
_OF_ALL = "/api/v1/secrets"
_OF_ONE = "/api/v1/namespaces/{namespace}/secrets"


def secrets_of(namespace: str | None, *, connection: bool) -> Collection:
    """The Secrets of a namespace, or of all; `connection`: those of Crossplane's type only."""
    what = f"{'connection ' if connection else ''}Secrets of {namespace or 'all namespaces'}"
    path, names = (_OF_ONE, {"namespace": namespace}) if namespace else (_OF_ALL, {})
    return Collection(what, path, names, f"type={CONNECTION_TYPE}" if connection else "")


@dataclass(frozen=True, slots=True)
class Seen:
    """A Secret that concerns the publisher: its version, and what was said about it."""

    key: Key
    version: str
    said: str | None
    uid: str = ""


class MetadataApi(ClusterApi):
    """What a Watch asks: metadata only. The API server has a word of its own for lists of it."""

    def __init__(self, client: ApiClient) -> None:
        super().__init__(client, accept=METADATA_ONLY)
        self._lists = ClusterApi(client, accept=_METADATA_LISTS)

    async def answer(
        self,
        method: str,
        path: str,
        names: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Json]:
        return await self._lists.answer(
            method, path, names, query=query, body=body, content_type=content_type
        )


class SecretsTarget:
    """What one watch has seen. `changed` and `gone` are called with what concerns the publisher;
    `everything`: all of them do."""

    def __init__(
        self,
        changed: Callable[[Seen, bool], None],
        gone: Callable[[Key], None],
        *,
        everything: bool = False,
    ) -> None:
        self._changed = changed
        self._gone = gone
        self._everything = everything
        self._seen: set[Key] = set()

    async def listed(self, pages: AsyncIterator[list[Json]]) -> None:
        """All there is. A Secret that is not among them any more is gone."""
        found: set[Key] = set()
        async for page in pages:
            for item in page:
                metadata = _metadata(item)
                if self._concerns(metadata):
                    key = _key(metadata)
                    found.add(key)
                    self._seen.add(key)
                    self._changed(_seen(key, metadata), False)
        for key in self._seen - found:
            self._gone(key)
        self._seen = found

    async def changed(self, events: list[Event]) -> None:
        for event in events:
            metadata = _metadata(event.object)
            key = _key(metadata)
            if event.gone:
                if key in self._seen:
                    self._seen.discard(key)
                    self._gone(key)
            elif self._concerns(metadata):
                self._seen.add(key)
                self._changed(_seen(key, metadata), True)
            elif key in self._seen:  # it asks no more
                self._seen.discard(key)
                self._changed(_seen(key, metadata), True)

    def _concerns(self, metadata: Json) -> bool:
        if self._everything or FINALIZER in (metadata.get("finalizers") or ()):
            return True
        words: tuple[Mapping[str, str], ...] = (
            metadata.get("annotations") or {},
            metadata.get("labels") or {},
        )
        return any(not ASKING.isdisjoint(found) for found in words)


def _metadata(item: Json) -> Json:
    found: Json = item.get("metadata") or {}
    return found


def _key(metadata: Json) -> Key:
    return Key(str(metadata.get("namespace", "")), str(metadata.get("name", "")))


def _seen(key: Key, metadata: Json) -> Seen:
    annotations = metadata.get("annotations") or {}
    version, uid = str(metadata.get("resourceVersion", "")), str(metadata.get("uid", ""))
    return Seen(key, version, annotations.get(STATUS), uid)
