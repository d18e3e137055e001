"""How the contract's tests are chosen and how they open the store they test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import ClassVar, TypeVar

import pytest
import pytest_asyncio

from store_plugin.engine import Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from store_plugin.store import Capabilities, Store
from store_plugin.testing.recording import RecordingStore

OpenStore = Callable[[], Awaitable[Store]]
"""Opens a handle to the place of this test, which is empty at first."""
Bury = Callable[[Store, ScopedName], Awaitable[None]]
"""Removes a secret such that a tombstone stays."""

NAME = ScopedName.parse("team/database")
OTHER = ScopedName.parse("team/queue")

TestT = TypeVar("TestT", bound=Callable[..., object])
Applies = Callable[[Capabilities], bool]
_APPLIES = "_store_contract_applies"


def only(applies: Applies) -> Callable[[TestT], TestT]:
    """Collect a test only for stores whose capabilities it applies to."""

    def mark(test: TestT) -> TestT:
        test.__dict__[_APPLIES] = applies
        return test

    return mark


class ContractBase:
    """Fixtures of the contract, and the choice of tests by the claims of a subclass."""

    capabilities: ClassVar[Capabilities]
    """What the store claims; must equal `store.capabilities`."""
    pytestmark = pytest.mark.asyncio

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not hasattr(cls, "capabilities"):
            return
        for name, test, applies in _conditional_tests(cls):
            # pytest does not collect a name that is not callable.
            setattr(cls, name, test if applies(cls.capabilities) else None)

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError("override the fixture open_store: it says how to open the store")

    @pytest.fixture
    def bury(self) -> Bury:
        async def delete(store: Store, name: ScopedName) -> None:
            await store.delete(name, base=await store.read(name))

        return delete

    @pytest_asyncio.fixture
    async def open_handle(self, open_store: OpenStore) -> AsyncIterator[OpenStore]:
        """As `open_store`, and closes what was opened."""
        opened: list[Store] = []

        async def open_handle() -> Store:
            opened.append(await open_store())
            return opened[-1]

        yield open_handle
        for store in opened:
            await store.aclose()

    @pytest_asyncio.fixture
    async def store(self, open_handle: OpenStore) -> RecordingStore:
        return RecordingStore(await open_handle())

    @pytest_asyncio.fixture
    async def engine(self, store: RecordingStore) -> Engine:
        return engine_over(store)


def _conditional_tests(cls: type) -> list[tuple[str, object, Applies]]:
    """The tests that depend on claims, as first written: a class in between may have had
    other claims and hidden some of them."""
    found: dict[str, tuple[str, object, Applies]] = {}
    for ancestor in cls.__mro__:
        for name, test in vars(ancestor).items():
            applies = getattr(test, "__dict__", {}).get(_APPLIES)
            if applies is not None and not isinstance(test, type):
                found.setdefault(name, (name, test, applies))
    return list(found.values())


def engine_over(store: Store, *, policy: OwnershipPolicy = OwnershipPolicy.ENFORCE) -> Engine:
    """An engine with locks of its own, as another process has them."""
    return Engine(store, Rules(ownership=policy), LocationLocks())


def soon() -> float:
    """A deadline far enough for any store, in the event loop's time."""
    return asyncio.get_running_loop().time() + 30


def owned(by: str, data: dict[str, bytes]) -> Secret:
    return Secret(data, {OWNER_LABEL: by})
