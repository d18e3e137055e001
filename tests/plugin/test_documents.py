"""A store over documents: what its author need not write."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from store_plugin.errors import Conflict, DocumentInvalid, InvalidRequest, StoreUnavailable, VersionNotFound
from store_plugin.model import ABSENT, ScopedName, Secret, Version
from store_plugin.plugin.documents import DocumentStore
from store_plugin.store import Store
from store_plugin.testing.contract import OpenStore, StoreContract

NAME = ScopedName.parse("team/db")
SECRET = Secret({"password": b"\xff\x00canary", "empty": b""}, {"owner": "me"})


class Drawer(DocumentStore):
    """Documents in memory."""

    def __init__(self) -> None:
        super().__init__("drawer")
        self.documents: dict[str, bytes] = {}
        self.failure: OSError | None = None
        self._lock = threading.Lock()

    def load(self, name: ScopedName) -> bytes | None:
        if self.failure is not None:
            raise self.failure
        return self.documents.get(str(name))

    def save(self, name: ScopedName, document: bytes | None) -> None:
        if document is None:
            self.documents.pop(str(name), None)
        else:
            self.documents[str(name)] = document

    def lock(self, name: ScopedName) -> AbstractContextManager[object]:
        return self._lock


class TestDocumentStore(StoreContract):
    capabilities = Drawer.capabilities

    @pytest.fixture
    def open_store(self) -> Iterator[OpenStore]:
        drawer = Drawer()

        async def open_store() -> Store:
            return drawer

        yield open_store


async def test_a_secret_made_anew_is_not_the_one_that_was_read() -> None:
    drawer = Drawer()
    await drawer.write(NAME, SECRET, base=ABSENT)
    before = await drawer.read(NAME)
    await drawer.delete(NAME, base=before)
    await drawer.write(NAME, SECRET, base=ABSENT)
    with pytest.raises(Conflict):
        await drawer.write(NAME, SECRET, base=before)
    with pytest.raises(VersionNotFound):
        await drawer.read(NAME, before.version)


async def test_one_of_many_writers_wins() -> None:
    drawer = Drawer()
    writes = [drawer.write(NAME, SECRET, base=ABSENT) for _ in range(8)]
    ended = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(one, str) for one in ended) == 1
    assert sum(isinstance(one, Conflict) for one in ended) == 7


@pytest.mark.parametrize(
    "document",
    [b"", b"canary", b"[]", b"{}", b'{"version": "1", "data": {"k": "canary!"}, "metadata": {}}', b"\xff"],
    ids=repr,
)
async def test_what_is_no_document_is_told_without_its_content(document: bytes) -> None:
    drawer = Drawer()
    drawer.documents[str(NAME)] = document
    with pytest.raises(DocumentInvalid, match="no document of this store") as told:
        await drawer.read(NAME)
    assert "canary" not in str(told.value)


async def test_an_oserror_is_unavailable_and_names_no_file() -> None:
    drawer = Drawer()
    drawer.failure = OSError(5, "Input/output error", "/canary")
    with pytest.raises(StoreUnavailable, match="cannot be read: Input/output error") as told:
        await drawer.read(NAME)
    assert "canary" not in str(told.value)
    assert told.value.retry_after


async def test_its_secrets_are_not_listed_and_its_versions_are_texts() -> None:
    drawer = Drawer()
    with pytest.raises(InvalidRequest):
        drawer.names()
    version = await drawer.write(NAME, SECRET, base=ABSENT)
    assert (await drawer.read(NAME, Version(str(version)))).secret == SECRET
