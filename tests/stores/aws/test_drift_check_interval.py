"""`driftCheckInterval` over AWS, where each call is billed: counted at the service."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from store_plugin.engine import Engine, Fingerprints, LocationLocks, Rules
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from stores.aws.store import AWSStore
from tests.stores.aws.opening import new_prefix, open_static, soon
from tests.support.moto import Moto

NAME = ScopedName.parse("team-a/db")
DATA = Secret({"user": b"admin"}, {OWNER_LABEL: "uid-1"})


@pytest.fixture(params=["SecretsManager", "ParameterStore"])
async def stores(moto: Moto, request: pytest.FixtureRequest) -> AsyncIterator[list[AWSStore]]:
    """Of two configs that name the same place."""
    prefix = new_prefix()
    addresses = (moto.address, moto.address.replace("127.0.0.1", "localhost"))
    stores = [await open_static(address, service=request.param, prefix=prefix) for address in addresses]
    yield stores
    for store in stores:
        await store.aclose()


@pytest.fixture
async def engines(stores: list[AWSStore]) -> list[Engine]:
    """Of one process; the second config has no interval."""
    locks, fingerprints = LocationLocks(), Fingerprints()
    rules = (Rules(drift_check_interval=600.0), Rules())
    pairs = zip(stores, rules, strict=True)
    return [Engine(store, rule, locks, fingerprints=fingerprints) for store, rule in pairs]


async def test_the_second_identical_apply_makes_no_call(moto: Moto, engines: list[Engine]) -> None:
    first = await engines[0].apply(NAME, DATA, deadline=soon())
    moto.calls()
    again = await engines[0].apply(NAME, DATA, deadline=soon())
    assert (moto.calls(), again.changed, again.version) == ({}, False, first.version)


async def test_sixteen_callers_of_a_known_secret_make_no_call(moto: Moto, engines: list[Engine]) -> None:
    await engines[0].apply(NAME, DATA, deadline=soon())
    moto.calls()
    await asyncio.gather(*(engines[0].apply(NAME, DATA, deadline=soon()) for _ in range(16)))
    assert moto.calls() == {}


async def test_sixteen_callers_of_a_new_secret_cost_one_apply(moto: Moto, engines: list[Engine]) -> None:
    found = await asyncio.gather(*(engines[0].apply(NAME, DATA, deadline=soon()) for _ in range(16)))
    assert moto.calls().total() == 3
    assert sum(applied.changed for applied in found) == 1


async def test_a_change_through_the_other_config_is_noticed(engines: list[Engine]) -> None:
    await engines[0].apply(NAME, DATA, deadline=soon())
    await engines[1].apply(NAME, Secret({"user": b"root"}, DATA.metadata), deadline=soon())
    assert (await engines[0].apply(NAME, DATA, deadline=soon())).changed
    await engines[1].delete(NAME, (), deadline=soon())
    assert (await engines[0].apply(NAME, DATA, deadline=soon())).changed
