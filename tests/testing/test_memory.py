"""The in-memory store keeps every claim it can be asked to make."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from store_plugin.store import Capabilities, Limits, Store
from store_plugin.testing.contract import OpenStore, StoreContract
from store_plugin.testing.machine import StoreMachine, store_machine
from store_plugin.testing.memory import DEFAULT_CAPABILITIES, MemoryData, MemoryStore


class MemoryContract(StoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        data = MemoryData()

        async def open_store() -> Store:
            return MemoryStore(data, self.capabilities)

        return open_store


class TestDefault(MemoryContract):
    capabilities = DEFAULT_CAPABILITIES


class TestLikeVersionedVault(MemoryContract):
    capabilities = Capabilities(
        compare_and_set=True,
        conditional_delete=False,
        versions=True,
        tombstones=True,
        listing=True,
        limits=Limits(metadata_entries=64, metadata_key_bytes=128, metadata_value_bytes=512),
    )


class TestWithoutAnyClaim(MemoryContract):
    capabilities = Capabilities(
        compare_and_set=False,
        conditional_delete=False,
        metadata=False,
        limits=Limits(data_bytes=4096, keys=40),
    )


class TestVersionsWithoutCompareAndSet(MemoryContract):
    capabilities = Capabilities(compare_and_set=False, conditional_delete=True, versions=True)


def machine_over(capabilities: Capabilities) -> type[StoreMachine]:
    @asynccontextmanager
    async def empty_store() -> AsyncIterator[Store]:
        yield MemoryStore(MemoryData(), capabilities)

    return store_machine(empty_store)


TestMachineDefault = machine_over(TestDefault.capabilities).TestCase
TestMachineLikeVersionedVault = machine_over(TestLikeVersionedVault.capabilities).TestCase
TestMachineWithoutAnyClaim = machine_over(TestWithoutAnyClaim.capabilities).TestCase
