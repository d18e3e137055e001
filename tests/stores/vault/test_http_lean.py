"""The lean client against a server that does what a test says, on both event loops."""

import asyncio
import gc
import os
import select
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store_plugin.errors import (
    ConfigInvalid,
    DeadlineExceeded,
    InvalidRequest,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.testing.environment import MemoryCredentials, memory_environment
from stores.vault.http.answer import Answer
from stores.vault.http.lean import LeanTransport
from tests.stores.vault.opening import GIVEN, WITH_TOKEN, spec_of
from tests.stores.vault.scripted import OK, ScriptedServer
from tests.support.certificates import CertificateAuthority
from tests.support.waiting import until

HEADERS = {"X-Vault-Token": "hvs.canary"}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


def transport_to(server: str, ca: bytes | None = None, **fields: object) -> LeanTransport:
    credentials = MemoryCredentials({"caBundle": ca} if ca else {})
    if ca:
        fields["caBundle"] = GIVEN
    environment = memory_environment(credentials, config="VaultConfig/test")
    return LeanTransport(spec_of(server, "kv", WITH_TOKEN, **fields), environment)


@pytest.fixture
async def transport(server: ScriptedServer) -> AsyncIterator[LeanTransport]:
    transport = transport_to(server.address)
    yield transport
    await transport.aclose()


async def get(transport: LeanTransport, path: str = "/v1/a") -> Answer:
    return await transport.send("GET", path, HEADERS)


async def error_of(transport: LeanTransport, method: str = "GET") -> StorePluginError:
    with pytest.raises(StorePluginError) as caught:
        await transport.send(method, "/v1/a", HEADERS, b"body-canary" if method == "POST" else None)
    assert "canary" not in repr(caught.value)
    return caught.value


def started(transport: LeanTransport, count: int) -> list[asyncio.Task[Answer]]:
    return [asyncio.create_task(get(transport, f"/v1/{number}")) for number in range(count)]


# Connections are kept, or not.


async def test_a_thousand_requests_need_one_connection(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    for _ in range(1000):
        assert (await get(transport)).body == b"hi"
    assert (server.connections, len(server.requests)) == (1, 1000)


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(OK.replace(b"Con", b"Connection: close\r\nCon", 1), id="close"),
        pytest.param(OK.replace(b"1.1", b"1.0"), id="1.0"),
        pytest.param(OK + OK, id="another-response-behind"),
        pytest.param(OK + b"x", id="garbage-behind"),
    ],
)
async def test_a_connection_that_may_not_go_on_is_closed(
    server: ScriptedServer, transport: LeanTransport, response: bytes
) -> None:
    server.answer(response)
    assert (await get(transport)).body == b"hi"
    await until(lambda: server.open == 0)
    assert (await get(transport)).body == b"hi"
    assert server.connections == 2


async def test_what_comes_unasked_is_nobodys_answer(server: ScriptedServer, transport: LeanTransport) -> None:
    await get(transport)
    for writer in server.writers:
        writer.write(OK.replace(b"hi", b"no"))
    await until(lambda: server.open == 0)
    assert (await get(transport)).body == b"hi"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_body_may_go_to_the_end_of_the_connection(
    server: ScriptedServer, transport: LeanTransport, method: str
) -> None:
    server.answer(b"HTTP/1.1 200 OK\r\n\r\n", b"h", b"i", close=True)
    answer = await transport.send(method, "/v1/a", HEADERS)
    assert answer.body == (b"hi" if method == "GET" else b"")


async def test_an_answer_may_come_in_drips(server: ScriptedServer, transport: LeanTransport) -> None:
    server.answer(*(bytes([byte]) for byte in b"HTTP/1.1 100 Continue\r\n\r\n" + OK), pause=0.0005)
    assert (await get(transport)).body == b"hi"
    assert (await get(transport)).body == b"hi"
    assert server.connections == 1


async def test_large_bodies_go_both_ways(server: ScriptedServer, transport: LeanTransport) -> None:
    body = os.urandom(3_000_000)
    server.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)
    assert (await transport.send("POST", "/v1/a", HEADERS, body)).body == body
    assert server.requests[0].endswith(body)
    assert (await get(transport)).body == b"hi"
    assert server.connections == 1


async def test_an_answer_before_the_whole_request_went_out_ends_the_connection(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    """The server answers the head of a body that it never reads."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()
        return False

    server._answer_one = refuse  # type: ignore[method-assign]
    assert (await transport.send("POST", "/v1/a", HEADERS, bytes(16_000_000))).status == 413
    assert transport._pool._slots == 0


# The server closes kept connections.


@pytest.mark.parametrize("method", ["GET", "LIST", "HEAD", "DELETE"])
@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_kept_connection_that_ends_unanswered_is_replaced(
    server: ScriptedServer, transport: LeanTransport, method: str, end: str
) -> None:
    await get(transport)
    server.answer(**{end: True})
    assert (await transport.send(method, "/v1/a", HEADERS)).status == 200
    assert (server.connections, len(server.requests)) == (2, 3)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_write_that_ends_unanswered_is_not_repeated(
    server: ScriptedServer, transport: LeanTransport, method: str
) -> None:
    await get(transport)
    server.answer(close=True)
    with pytest.raises(StoreUnavailable, match="may have been done"):
        await transport.send(method, "/v1/a", HEADERS, b"{}")
    assert len(server.requests) == 2


async def test_a_request_is_repeated_once(server: ScriptedServer, transport: LeanTransport) -> None:
    await get(transport)
    for _ in range(2):
        server.answer(close=True)
    assert isinstance(await error_of(transport), StoreUnavailable)
    assert len(server.requests) == 3


async def test_a_request_on_a_new_connection_is_not_repeated(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    server.answer(close=True)
    assert isinstance(await error_of(transport), StoreUnavailable)
    assert len(server.requests) == 1


async def test_an_answer_that_began_is_not_asked_for_again(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    await get(transport)
    server.answer(b"H", close=True)
    assert isinstance(await error_of(transport), StoreUnavailable)
    assert len(server.requests) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_known_to_be_closed_is_not_used(
    server: ScriptedServer, transport: LeanTransport, method: str
) -> None:
    await get(transport)
    server.close_idle()
    await until(lambda: server.open == transport._pool._slots == 0)
    assert (await transport.send(method, "/v1/a", HEADERS)).status == 200
    assert (server.connections, len(server.requests)) == (2, 2)


async def test_a_write_is_not_lost_to_an_end_that_only_the_kernel_knows_of(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    await get(transport)
    (writer,) = server.writers
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as other:
        other.shutdown(socket.SHUT_RDWR)
    (connection,) = transport._pool._all
    assert connection._transport is not None
    ours = connection._transport.get_extra_info("socket").fileno()
    assert select.select([ours], [], [], 30.0)[0], "the kernel knows; the event loop had no turn"
    assert transport._pool._slots == 1
    assert (await transport.send("POST", "/v1/a", HEADERS, b"{}")).status == 200
    assert (server.connections, len(server.requests)) == (2, 2)


# What goes wrong.


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-",), "before the end", id="head-cut"),
        pytest.param((OK[:-1],), "before the end", id="body-cut"),
        pytest.param((), "before the end", id="nothing"),
        pytest.param((b"\x15\x03\x01",), "does not speak HTTP", id="garbage"),
        pytest.param((b"HTTP/1.1 200 OK\r\nX: ", b"x" * 70_000), "larger than 64 KiB", id="huge-head"),
        pytest.param((OK.replace(b": 2", b": 99999999"),), "larger than 16384 KiB", id="huge-body"),
    ],
)
async def test_a_broken_answer_is_told_and_costs_its_connection(
    server: ScriptedServer, transport: LeanTransport, pieces: tuple[bytes, ...], said: str
) -> None:
    server.answer(*pieces, close=True)
    error = await error_of(transport)
    assert type(error) is StoreUnavailable
    assert error.retry_after
    assert error.message.startswith("VaultConfig/test: GET /v1/a: ")
    assert said in error.message
    assert (await get(transport)).body == b"hi"
    assert (server.connections, transport._pool._slots) == (2, 1)


async def test_a_reset_is_told(server: ScriptedServer, transport: LeanTransport) -> None:
    server.answer(b"HTTP/1.1 200", reset=True)
    assert type(await error_of(transport)) is StoreUnavailable


async def test_nobody_listens(server: ScriptedServer) -> None:
    async with ScriptedServer() as gone:
        transport = transport_to(gone.address)
    with pytest.raises(StoreUnavailable, match="refused"):
        await get(transport)
    assert transport._pool._slots == 0


async def test_the_configs_timeout_ends_a_drip(server: ScriptedServer) -> None:
    transport = transport_to(server.address, timeout="100ms")
    server.answer(*([b"HTTP/1.1 100 Continue\r\n\r\n"] * 2000), pause=0.01)
    assert type(await error_of(transport)) is DeadlineExceeded
    server.steps.clear()  # on a slow machine the request may not have come to its drip
    transport._timeout = 30.0
    assert (await get(transport)).body == b"hi"
    await transport.aclose()


async def test_a_connection_must_stand_within_its_time(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody shakes hands: the server waits for HTTP, the client for TLS."""
    monkeypatch.setattr("stores.vault.http.lean.CONNECT_SECONDS", 0.1)
    transport = transport_to(server.address.replace("http:", "https:"))
    with pytest.raises(StoreUnavailable, match="no connection within"):
        await get(transport)
    await transport.aclose()
    await until(lambda: server.open == 0)


async def test_a_header_that_would_be_two_is_not_sent(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    with pytest.raises(ConfigInvalid, match="X-Vault-Token"):
        await transport.send("GET", "/v1/a", {"X-Vault-Token": "a\r\nX: b"})
    with pytest.raises(InvalidRequest, match="path"):
        await transport.send("GET", "/v1/a b", HEADERS)
    assert server.connections == 0


# Cancellation and the bounds of the pool.


async def test_a_cancelled_request_takes_its_connection_along(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    step = server.answer(OK.replace(b"hi", b"no"))
    step.hold.clear()
    task = asyncio.create_task(get(transport))
    await until(lambda: server.requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    step.hold.set()
    assert (await get(transport)).body == b"hi"
    assert server.connections == 2
    assert transport._pool._slots == 1


async def test_cancelling_while_connecting_leaves_nothing(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    for turns in range(12):
        task = asyncio.create_task(get(transport))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await get(transport)).body == b"hi"
    await until(lambda: server.open == 1)
    assert (transport._pool._slots, len(transport._pool._all)) == (1, 1)


async def test_more_requests_than_connections_wait_their_turn(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    transport._pool._most = 3
    answers = await asyncio.gather(*started(transport, 40))
    assert [answer.body for answer in answers] == [b"hi"] * 40
    assert server.connections == 3
    numbers = [int(request.split()[1].removeprefix(b"/v1/")) for request in server.requests]
    assert sorted(numbers) == list(range(40))
    in_turn = [number for number in numbers if number >= 3]  # the others waited for new connections
    assert all(abs(place - number) < 3 for place, number in enumerate(in_turn, 3)), "three at a time"


async def test_the_wait_for_a_connection_counts(server: ScriptedServer) -> None:
    transport = transport_to(server.address, timeout="150ms")
    transport._pool._most = 1
    for _ in range(5):
        server.answer().hold.clear()
    outcomes = await asyncio.gather(*started(transport, 5), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DeadlineExceeded] * 5
    transport._timeout = 30.0
    server.steps.clear()
    assert (await get(transport)).body == b"hi"
    await transport.aclose()


async def test_a_broken_connection_gives_its_slot_to_the_next(
    server: ScriptedServer, transport: LeanTransport
) -> None:
    transport._pool._most = 1
    for _ in range(3):
        server.answer(b"garbage")
    outcomes = await asyncio.gather(*started(transport, 6), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3 + [Answer] * 3
    assert (server.connections, transport._pool._slots) == (4, 1)


# The end.


async def test_nothing_is_left_behind(server: ScriptedServer) -> None:
    gc.collect()  # what other tests left is not counted
    tasks, files = asyncio.all_tasks(), len(list(Path("/proc/self/fd").iterdir()))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for _ in range(5):
            transport = transport_to(server.address)
            server.answer(b"garbage")
            outcomes = await asyncio.gather(*started(transport, 20), return_exceptions=True)
            assert sum(isinstance(outcome, Answer) for outcome in outcomes) == 19
            await transport.aclose()
            assert transport._pool._all == set()
            assert transport._pool._timer is None or transport._pool._timer.cancelled()
        del transport, outcomes
        gc.collect()
        await until(lambda: server.open == 0)
        await until(lambda: asyncio.all_tasks() == tasks)
        await until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= files)


async def test_closing_ends_what_is_under_way(server: ScriptedServer) -> None:
    transport = transport_to(server.address)
    transport._pool._most = 1
    server.answer().hold.clear()
    waiting = started(transport, 3)
    await until(lambda: server.requests)
    await transport.aclose()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    with pytest.raises(StoreUnavailable, match="closed"):
        await get(transport)


# TLS.


@pytest.fixture
async def tls_server(ca: CertificateAuthority, tmp_path: Path) -> AsyncIterator[ScriptedServer]:
    ca.server("vault.internal", "127.0.0.1").write(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    async with ScriptedServer(context) as server:
        yield server


@pytest.mark.parametrize("name", [{}, {"tlsServerName": "vault.internal"}], ids=["address", "name"])
async def test_tls(tls_server: ScriptedServer, ca: CertificateAuthority, name: dict[str, str]) -> None:
    transport = transport_to(tls_server.address, ca.pem, **name)
    body = os.urandom(300_000)
    tls_server.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)
    assert (await transport.send("POST", "/v1/a", HEADERS, body)).body == body
    assert (await transport.send("POST", "/v1/a", HEADERS, b"{}")).body == b"hi"
    assert tls_server.connections == 1
    await transport.aclose()
    await until(lambda: tls_server.open == 0)


async def test_a_certificate_that_does_not_fit_is_told(
    tls_server: ScriptedServer, ca: CertificateAuthority
) -> None:
    for transport in (
        transport_to(tls_server.address),
        transport_to(tls_server.address, CertificateAuthority.create("Other").pem),
        transport_to(tls_server.address, ca.pem, tlsServerName="elsewhere.internal"),
    ):
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            await get(transport)
        assert transport._pool._slots == 0
        await transport.aclose()
    assert tls_server.requests == []


async def test_kept_connections_end_with_the_trust_they_were_opened_with(
    tls_server: ScriptedServer, ca: CertificateAuthority
) -> None:
    transport = transport_to(tls_server.address, ca.pem)
    step = tls_server.answer(OK)
    step.hold.clear()
    under_way = asyncio.create_task(get(transport))
    await until(lambda: tls_server.requests)
    await get(transport)
    transport.reload()
    await until(lambda: tls_server.open == 1)
    step.hold.set()
    assert (await under_way).body == b"hi"
    await until(lambda: tls_server.open == 0)
    await get(transport)
    assert tls_server.connections == 3
    await transport.aclose()


async def test_a_cut_tls_connection_is_told(tls_server: ScriptedServer, ca: CertificateAuthority) -> None:
    transport = transport_to(tls_server.address, ca.pem)
    tls_server.answer(OK[:-1], reset=True)
    assert type(await error_of(transport)) is StoreUnavailable
    await transport.aclose()
