"""Stores that a plugin opens for the configs that come: what hangs or fails holds nobody up for long."""

import asyncio
import sys

import pytest

from store_plugin._proto import backend_pb2 as proto
from store_plugin.errors import StoreUnavailable
from store_plugin.plugin.stores import CLOSE_SECONDS, OPEN_SECONDS, OpenStores
from store_plugin.spec import StoreSpec
from store_plugin.store import Environment, Store
from store_plugin.testing.memory import MemoryData, MemoryStore
from tests.support.fakes import RecordingLog
from tests.support.virtual_time import virtually

KIND = ("tests.example.org/v1", "SlowConfig")
CONFIG = proto.StoreConfig(api_version=KIND[0], kind=KIND[1], name="slow", spec=b"{}")


class Slow:
    """Opens after so many seconds, or fails after them."""

    spec_model = StoreSpec

    def __init__(self, seconds: float, failure: BaseException | None = None) -> None:
        self.seconds = seconds
        self.failure = failure
        self.asked = 0
        self.made: Store = MemoryStore(MemoryData("slow"))

    async def open(self, spec: StoreSpec, environment: Environment) -> Store:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        return self.made


async def lease(stores: OpenStores, within: float) -> Store:
    async with asyncio.timeout(within), stores.lease(CONFIG) as store:
        return store


def test_a_store_goes_on_opening_when_its_callers_have_given_up() -> None:
    async def main() -> None:
        factory = Slow(40)
        stores = OpenStores({KIND: factory}, RecordingLog())
        with pytest.raises(TimeoutError):
            await lease(stores, 30)
        await lease(stores, 30)
        assert factory.asked == 1
        await stores.aclose()

    virtually(main())


def test_a_store_that_does_not_open_is_given_up_and_tried_again() -> None:
    async def main() -> None:
        factory = Slow(3600)
        stores = OpenStores({KIND: factory}, RecordingLog())
        with pytest.raises(StoreUnavailable, match="SlowConfig/slow did not open within 120 s"):
            await lease(stores, 2 * OPEN_SECONDS)
        factory.seconds = 0
        await lease(stores, 30)
        assert factory.asked == 2
        await stores.aclose()

    virtually(main())


def test_nobody_is_told_of_a_failure_of_long_ago() -> None:
    async def main() -> None:
        factory = Slow(40, StoreUnavailable("away for now"))
        stores = OpenStores({KIND: factory}, RecordingLog())
        with pytest.raises(TimeoutError):
            await lease(stores, 30)
        await asyncio.sleep(600)
        assert len(stores) == 0
        factory.failure = None
        await lease(stores, 60)
        await stores.aclose()

    virtually(main())


def test_a_timeout_of_the_factorys_own_stays_its_own() -> None:
    async def main() -> None:
        stores = OpenStores({KIND: Slow(1, TimeoutError("mine"))}, RecordingLog())
        with pytest.raises(TimeoutError, match="mine"):
            await lease(stores, 30)

    virtually(main())


class Leaving(MemoryStore):
    """Would end the process that closes it."""

    async def aclose(self) -> None:
        sys.exit(3)


def test_a_store_that_exits_ends_nothing_but_itself() -> None:
    async def main() -> None:
        factory, log = Slow(0, SystemExit(3)), RecordingLog()
        factory.made = Leaving(MemoryData("leaves"))
        stores = OpenStores({KIND: factory}, log)
        with pytest.raises(RuntimeError, match="SystemExit was raised"):
            await lease(stores, 30)
        factory.failure = None
        await lease(stores, 30)
        await stores.aclose()
        assert "store failed to close" in log.text

    virtually(main())


class Hanging(MemoryStore):
    """Does not close."""

    async def aclose(self) -> None:
        await asyncio.Event().wait()


def test_a_plugin_ends_though_a_store_of_it_neither_opens_nor_closes() -> None:
    async def main() -> None:
        factory, log = Slow(0), RecordingLog()
        factory.made = Hanging(MemoryData("hangs"))
        stores = OpenStores({KIND: factory}, log)
        await lease(stores, 30)
        factory.seconds = 3600
        other = proto.StoreConfig(api_version=KIND[0], kind=KIND[1], name="other", spec=b"{}")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), stores.lease(other):
                raise AssertionError("it has opened")
        async with asyncio.timeout(2 * CLOSE_SECONDS):
            await stores.aclose()
        assert log.events("warning") == ["store failed to close"] * 2

    virtually(main())
