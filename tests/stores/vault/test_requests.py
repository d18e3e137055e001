"""How many HTTP requests an operation costs: they are what a user of Vault pays."""

from collections.abc import AsyncIterator

import pytest

from store_plugin.engine import Engine
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from stores.vault.store import VaultStore
from tests.stores.vault.opening import engine_over, open_with_token, soon
from tests.support.openbao import OpenBao
from tests.support.proxy import Proxy

pytestmark = pytest.mark.usefixtures("both_clients")
NAME = ScopedName.parse("team-a/db")
DATA = Secret({"user": b"admin", "password": b"\xff\x00"}, {OWNER_LABEL: "uid-1"})


@pytest.fixture
async def proxy(bao: OpenBao) -> AsyncIterator[Proxy]:
    async with Proxy(bao.address) as proxy:
        yield proxy


@pytest.fixture(params=["v1", "v2"])
async def store(request: pytest.FixtureRequest, bao: OpenBao, proxy: Proxy) -> AsyncIterator[VaultStore]:
    mount = bao.mount_kv(request.param)
    store = await open_with_token(bao, mount, server=proxy.address, version=request.param)
    await store.read(ScopedName.parse("log/in"))
    proxy.requests.clear()
    yield store
    await store.aclose()


@pytest.fixture
async def engine(store: VaultStore) -> Engine:
    return engine_over(store)


async def test_a_get_is_one_request(engine: Engine, proxy: Proxy) -> None:
    await engine.apply(NAME, DATA, deadline=soon())
    proxy.requests.clear()
    await engine.get(NAME)
    assert len(proxy.requests) == 1


async def test_an_unchanged_apply_is_one_request(engine: Engine, proxy: Proxy) -> None:
    await engine.apply(NAME, DATA, deadline=soon())
    proxy.requests.clear()
    await engine.apply(NAME, DATA, deadline=soon())
    assert len(proxy.requests) == 1


async def test_a_changed_apply_is_two_requests(engine: Engine, proxy: Proxy) -> None:
    await engine.apply(NAME, DATA, deadline=soon())
    proxy.requests.clear()
    await engine.apply(NAME, Secret({"user": b"root"}, DATA.metadata), deadline=soon())
    assert len(proxy.requests) == 2


async def test_changed_metadata_costs_one_request_more_in_version_2(
    engine: Engine, store: VaultStore, proxy: Proxy
) -> None:
    await engine.apply(NAME, DATA, deadline=soon())
    assert len(proxy.requests) == (3 if store.capabilities.versions else 2)


async def test_a_removal_is_two_requests(engine: Engine, proxy: Proxy) -> None:
    await engine.apply(NAME, DATA, deadline=soon())
    proxy.requests.clear()
    await engine.delete(NAME, [], deadline=soon())
    assert len(proxy.requests) == 2


async def test_one_connection_serves_many_requests(engine: Engine, proxy: Proxy) -> None:
    for _ in range(5):
        await engine.get(NAME)
    assert proxy.connections == 1


async def test_the_login_with_a_token_is_one_lookup(bao: OpenBao, proxy: Proxy) -> None:
    store = await open_with_token(bao, bao.mount_kv("v2"), server=proxy.address)
    assert proxy.requests == []
    await store.read(NAME)
    assert (len(proxy.requests), proxy.count("GET /v1/auth/token/lookup-self")) == (2, 1)
    await store.aclose()
    assert len(proxy.requests) == 2, "a token that was given to us is not revoked"
