"""The contract suite fails stores that claim too much, and collects what applies."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Limits, Store
from store_plugin.testing._contract_claims import ClaimTests
from store_plugin.testing.contract import StoreContract
from store_plugin.testing.memory import DEFAULT_CAPABILITIES, MemoryData, MemoryStore

NOTHING = Capabilities(compare_and_set=False, conditional_delete=False, metadata=False)
ALL = Capabilities(
    compare_and_set=True,
    conditional_delete=True,
    versions=True,
    tombstones=True,
    listing=True,
    limits=Limits(keys=10, metadata_entries=5, metadata_key_bytes=20, metadata_value_bytes=20),
)


def collected(capabilities: Capabilities) -> set[str]:
    """Names of the tests that pytest collects for a store that claims this."""
    suite = type("Suite", (StoreContract,), {"capabilities": capabilities})
    return {name for name, test in inspect.getmembers(suite, callable) if name.startswith("test_")}


@pytest.mark.parametrize(
    ("claim", "proof", "opposite"),
    [
        (
            {"compare_and_set": True},
            "test_a_write_on_an_old_base_is_a_conflict",
            "test_without_compare_and_set_the_last_writer_wins",
        ),
        (
            {"conditional_delete": True},
            "test_a_removal_on_an_old_base_is_a_conflict",
            "test_without_conditional_delete_a_write_in_between_goes_too",
        ),
        (
            {"versions": True},
            "test_an_older_version_can_be_read",
            "test_without_versions_none_can_be_asked_for",
        ),
        ({"metadata": True}, "test_metadata_comes_back", "test_without_metadata_none_is_accepted"),
        (
            {"tombstones": True},
            "test_a_tombstone_reads_as_missing",
            "test_without_tombstones_a_removal_leaves_nothing",
        ),
        (
            {"limits": Limits(keys=10)},
            "test_keys_up_to_the_limit_are_held",
            "test_ten_thousand_keys_are_held",
        ),
    ],
    ids=["compare-and-set", "conditional-delete", "versions", "metadata", "tombstones", "keys"],
)
def test_a_claim_brings_its_proof_and_no_claim_the_opposite(
    claim: dict[str, Any], proof: str, opposite: str
) -> None:
    with_claim, without = collected(replace(NOTHING, **claim)), collected(NOTHING)
    assert (proof in with_claim, opposite in with_claim) == (True, False)
    assert (proof in without, opposite in without) == (False, True)


def test_every_test_applies_to_some_store() -> None:
    every = {name for name, _ in inspect.getmembers(StoreContract) if name.startswith("test_")}
    assert collected(ALL) | collected(NOTHING) == every


def test_a_suite_derived_with_more_claims_gets_their_proofs() -> None:
    base = type("Base", (StoreContract,), {"capabilities": NOTHING})
    derived = type("Derived", (base,), {"capabilities": ALL})
    proof, opposite = "test_an_older_version_can_be_read", "test_without_versions_none_can_be_asked_for"
    assert (vars(base)[proof], vars(derived)[proof]) == (None, vars(ClaimTests)[proof])
    assert (vars(base)[opposite], vars(derived)[opposite]) == (vars(ClaimTests)[opposite], None)


class ForgetsToCompare(MemoryStore):
    """Claims compare-and-set, and the last writer wins."""

    def _check_base(self, name: ScopedName, base: StoredSecret) -> None:
        return None


class ComparesAndThenWrites(MemoryStore):
    """Compares, but not in one step with the write."""

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        self._check_base(name, base)
        await asyncio.sleep(0)
        return self.data.append(name, secret).version


class StartsAgainFromOne(MemoryStore):
    """Numbers a secret created anew from the beginning."""

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await super().delete(name, base=base)
        self.data._last_number = 0


Test = Callable[..., Awaitable[None]]


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (ForgetsToCompare, StoreContract.test_a_write_on_an_old_base_is_a_conflict),
        (ForgetsToCompare, StoreContract.test_a_race_to_create_has_one_winner),
        (ForgetsToCompare, StoreContract.test_two_processes_lose_no_acknowledged_key),
        (ForgetsToCompare, StoreContract.test_a_removal_on_an_old_base_is_a_conflict),
        (ForgetsToCompare, StoreContract.test_a_write_on_a_secret_removed_meanwhile_is_a_conflict),
        (ComparesAndThenWrites, StoreContract.test_a_race_to_create_has_one_winner),
        (ComparesAndThenWrites, StoreContract.test_two_processes_lose_no_acknowledged_key),
        (StartsAgainFromOne, StoreContract.test_a_removal_of_a_secret_created_anew_is_a_conflict),
    ],
    ids=lambda value: value.__name__,
)
async def test_a_store_that_claims_too_much_fails(kind: type[MemoryStore], test: Test) -> None:
    await run(test, MemoryStore)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await run(test, kind)


async def run(test: Test, kind: type[MemoryStore]) -> None:
    data = MemoryData()

    async def open_handle() -> Store:
        return kind(data, DEFAULT_CAPABILITIES)

    await test(StoreContract(), open_handle)


def test_the_doubles_need_no_test_library() -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['pytest', 'pytest_asyncio', 'hypothesis']))\n"
        "import store_plugin.testing.memory, store_plugin.testing.recording, store_plugin.testing.environment"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
