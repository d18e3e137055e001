"""A store over anything that keeps documents: files, a table, a bucket.

Its author says how a document is loaded, how it is saved, and what keeps others away meanwhile.
From here come versions, compare-and-set, the writing of secrets as JSON, and threads.
"""

import asyncio
import json
import uuid
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

from store_plugin.errors import Conflict, DocumentInvalid, InvalidRequest, StoreUnavailable, VersionNotFound
from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


class DocumentStore(ABC):
    """Derive from it, and write `load`, `save` and `lock`, as plain functions: they run in threads,
    so a store is called from several at a time. Their OSErrors become StoreUnavailable.

    `place`: what all secrets of the store have in common, such as `folder:/var/lib/x`; the same
    for every config that leads there.
    """

    capabilities = Capabilities(compare_and_set=True, conditional_delete=True)

    def __init__(self, place: str) -> None:
        self._place = place

    @abstractmethod
    def load(self, name: ScopedName) -> bytes | None:
        """The document of a secret; None where there is none."""

    @abstractmethod
    def save(self, name: ScopedName, document: bytes | None) -> None:
        """Keep a document, whole or not at all; None: keep none."""

    @abstractmethod
    def lock(self, name: ScopedName) -> AbstractContextManager[object]:
        """Held from the look at a document until another is saved: it keeps away all who write,
        other instances of the plugin too."""

    def examine(self) -> None:  # noqa: B027 # a hook
        """Raise StoreUnavailable, or any other error of ours, where the store cannot be used."""

    def location(self, name: ScopedName) -> str:
        return f"{self._place}/{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        found = await _in_thread("read", self._read, name)
        if version not in (None, found.version):
            raise VersionNotFound(f"secret {name} has no version {version} any more")
        return found

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        # No version ever comes again: a secret made anew is not the one that was read.
        version = Version(uuid.uuid4().hex)
        await _in_thread("written", self._replace, name, base, _document(secret, version))
        return version

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await _in_thread("deleted", self._replace, name, base, None)

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        raise InvalidRequest("the secrets of this store cannot be listed")

    async def check(self) -> list[str]:
        await _in_thread("looked for", self.examine)
        return []

    async def aclose(self) -> None:  # noqa: B027 # a hook
        """Nothing is held open."""

    def _read(self, name: ScopedName) -> StoredSecret:
        document = self.load(name)
        return ABSENT if document is None else _stored(name, document)

    def _replace(self, name: ScopedName, base: StoredSecret, document: bytes | None) -> None:
        """Only if it is still as `base` says."""
        with self.lock(name):
            if self._read(name).version != base.version:
                raise Conflict(f"secret {name} has changed since it was read")
            self.save(name, document)


async def _in_thread(
    done: str, work: Callable[Arguments, Found], *arguments: Arguments.args, **options: Arguments.kwargs
) -> Found:
    try:
        return await asyncio.to_thread(work, *arguments, **options)
    except OSError as error:
        raise StoreUnavailable(f"the secret cannot be {done}: {error.strerror}", retry_after=5.0) from None


def _document(secret: Secret, version: Version) -> bytes:
    data = {key: b64encode(value).decode() for key, value in secret.data.items()}
    return json.dumps({"version": version, "data": data, "metadata": dict(secret.metadata)}).encode()


def _stored(name: ScopedName, document: bytes) -> StoredSecret:
    try:
        found = json.loads(document)
        data = {key: b64decode(value, validate=True) for key, value in found["data"].items()}
        return StoredSecret(Presence.PRESENT, Secret(data, found["metadata"]), Version(found["version"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise DocumentInvalid(f"what is stored as secret {name} is no document of this store") from None
