"""A server, or what stands before it, that sends more than anybody could want: with either HTTP client."""

import gzip
from collections.abc import AsyncIterator

import pytest

from store_plugin.errors import StoreUnavailable
from store_plugin.testing.environment import MemoryCredentials, memory_environment
from stores.vault.http.answer import MAX_BODY_BYTES
from stores.vault.http.transport import Transport, open_transport
from tests.stores.vault.opening import WITH_TOKEN, spec_of
from tests.stores.vault.scripted import ScriptedServer

PIECE = b" " * 65536


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture(params=["Lean", "Aiohttp"])
async def transport(server: ScriptedServer, request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    spec = spec_of(server.address, "kv", WITH_TOKEN, httpClient=request.param)
    transport = open_transport(spec, memory_environment(MemoryCredentials()))
    yield transport
    await transport.aclose()


async def test_a_body_without_an_end_is_given_up(server: ScriptedServer, transport: Transport) -> None:
    pieces = [PIECE] * (2 * MAX_BODY_BYTES // len(PIECE))
    server.answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", *pieces, close=True)
    with pytest.raises(StoreUnavailable, match="the body of the answer is larger than 16384 KiB"):
        await transport.send("GET", "/v1/a", {})


async def test_nothing_is_unpacked_that_was_not_asked_for(
    server: ScriptedServer, transport: Transport
) -> None:
    packed = gzip.compress(bytes(2 * MAX_BODY_BYTES))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    server.answer(head.encode() + packed)
    answer = await transport.send("GET", "/v1/a", {})
    assert answer.body == packed
    with pytest.raises(StoreUnavailable, match="does not speak Vault's API"):
        answer.json()
