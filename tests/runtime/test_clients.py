"""One client for each endpoint, kept while it is used."""

from pathlib import Path

import pytest

from store_plugin.client import Client
from store_plugin.errors import InvalidRequest
from store_plugin.running import run_now
from store_plugin.runtime import AsyncClientPool, ClientPool
from tests.support.certificates import CertificateAuthority
from tests.support.clock import FakeClock

SOCKET = "unix:///@store-plugin-test/nobody"


@pytest.fixture(params=[ClientPool, AsyncClientPool], ids=["threads", "asyncio"])
def kind(request: pytest.FixtureRequest) -> type[ClientPool] | type[AsyncClientPool]:
    found: type[ClientPool] | type[AsyncClientPool] = request.param
    return found


async def test_spellings_of_one_endpoint_share_a_client(kind: type[ClientPool]) -> None:
    pool = kind()
    assert await pool.client(SOCKET) is await pool.client("unix-abstract:store-plugin-test/nobody")
    assert await pool.client(SOCKET) is not await pool.client("unix:///tmp/other.sock")


async def test_a_client_in_use_is_kept(kind: type[ClientPool]) -> None:
    clock = FakeClock()
    pool = kind(max_idle=100, clock=clock)
    first = await pool.client(SOCKET)
    for _ in range(5):
        clock.now += 90
        assert await pool.client(SOCKET) is first


def test_a_client_that_nobody_uses_is_closed() -> None:
    clock = FakeClock()
    pool = ClientPool(max_idle=100, clock=clock)
    first = run_now(pool.client(SOCKET))
    clock.now += 101
    run_now(pool.client("unix:///tmp/other.sock"))
    assert_closed(first)
    assert run_now(pool.client(SOCKET)) is not first


def test_no_client_is_closed_while_a_call_may_be_under_way() -> None:
    clock = FakeClock()
    pool = ClientPool(max_idle=1, timeout=30, clock=clock)
    first = run_now(pool.client(SOCKET))
    clock.now += 59
    assert run_now(pool.client(SOCKET)) is first


def test_a_closed_pool_makes_no_more() -> None:
    pool = ClientPool()
    client = run_now(pool.client(SOCKET))
    pool.close()
    assert_closed(client)
    with pytest.raises(RuntimeError, match="the manager is closed"):
        run_now(pool.client(SOCKET))


async def test_certificates_count_for_tcp_only(
    kind: type[ClientPool], ca: CertificateAuthority, tmp_path: Path
) -> None:
    pool = kind(certs_dir=ca.client("operator").write(tmp_path), server_name="ess.team-a")
    await pool.client(SOCKET)
    await pool.client("localhost:4040")
    with pytest.raises(InvalidRequest, match="TLS"):
        await kind().client("localhost:4040")


async def test_what_is_no_endpoint_is_refused(kind: type[ClientPool]) -> None:
    with pytest.raises(InvalidRequest, match="is not an endpoint"):
        await kind().client("ftp://somewhere")


def assert_closed(client: Client) -> None:
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.get("VaultConfig/any", "team-a/db")
