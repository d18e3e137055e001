from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

import pytest

from store_plugin.model import ScopedName
from store_plugin.store import Store
from store_plugin.testing.machine import EmptyStore, store_machine
from tests.stores.vault.opening import open_with_token
from tests.support.openbao import OpenBao


class Server:
    """The session's server, for functions that pytest hands no fixture."""

    bao: ClassVar[OpenBao]


@pytest.fixture(autouse=True, scope="module")
def server(bao: OpenBao) -> Iterator[None]:
    Server.bao = bao
    yield
    del Server.bao


def empty(version: str) -> EmptyStore:
    @asynccontextmanager
    async def empty_store() -> AsyncIterator[Store]:
        mount = Server.bao.mount_kv(version)
        store = await open_with_token(Server.bao, mount, version=version)
        try:
            yield store
        finally:
            await store.aclose()
            Server.bao.api("DELETE", f"sys/mounts/{mount}")

    def opened() -> AbstractAsyncContextManager[Store]:
        return empty_store()

    return opened


async def soft_delete(store: Store, name: ScopedName) -> None:
    mount = store.location(name).partition("|")[2].removesuffix(f"/{name}")
    Server.bao.api("DELETE", f"{mount}/data/{name}")


TestKeyValue1 = store_machine(empty("v1"), examples=15, steps=20).TestCase
TestKeyValue2 = store_machine(empty("v2"), examples=25, steps=20, bury=soft_delete).TestCase
