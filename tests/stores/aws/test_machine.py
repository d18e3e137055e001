from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

import pytest

from store_plugin.model import ScopedName
from store_plugin.store import Store
from store_plugin.testing.machine import EmptyStore, store_machine
from stores.aws import AWSFactory
from tests.stores.aws.opening import NO_POD, new_prefix, open_static
from tests.support.moto import Moto


class Server:
    """The session's server, for functions that pytest hands no fixture."""

    moto: ClassVar[Moto]
    factory: ClassVar[AWSFactory]
    """Its clients serve all examples: making one costs more than an example."""


@pytest.fixture(autouse=True, scope="module")
def server(moto_process: Moto) -> Iterator[None]:
    Server.moto, Server.factory = moto_process, AWSFactory(NO_POD)
    yield
    del Server.moto, Server.factory


def empty(service: str) -> EmptyStore:
    @asynccontextmanager
    async def empty_store() -> AsyncIterator[Store]:
        store = await open_static(
            Server.moto.address, service=service, prefix=new_prefix(), factory=Server.factory
        )
        try:
            yield store
        finally:
            await store.aclose()

    def opened() -> AbstractAsyncContextManager[Store]:
        return empty_store()

    return opened


async def schedule_for_deletion(store: Store, name: ScopedName) -> None:
    full = store.location(name).split("|")[2]
    Server.moto.client("secretsmanager").delete_secret(SecretId=full, RecoveryWindowInDays=7)


TestSecretsManager = store_machine(
    empty("SecretsManager"), examples=15, steps=20, bury=schedule_for_deletion
).TestCase
TestParameterStore = store_machine(empty("ParameterStore"), examples=15, steps=20).TestCase
