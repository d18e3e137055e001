"""The local store keeps the contract of stores."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store_plugin.store import Store
from store_plugin.testing.contract import OpenStore, StoreContract
from store_plugin.testing.machine import store_machine
from stores.local.store import CAPABILITIES
from tests.stores.local_files import open_local


class TestLocal(StoreContract):
    capabilities = CAPABILITIES

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        async def open_store() -> Store:
            return await open_local(tmp_path / "secrets.db")

        return open_store


@asynccontextmanager
async def empty_store() -> AsyncIterator[Store]:
    with tempfile.TemporaryDirectory() as directory:
        store = await open_local(Path(directory) / "secrets.db")
        try:
            yield store
        finally:
            await store.aclose()


TestMachine = store_machine(empty_store, examples=30).TestCase
