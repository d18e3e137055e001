"""Whoever may write the kubeconfig of a store can name a server of their own: it gets what a server
of others gets, and costs nobody else anything."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin.errors import ConfigInvalid, InvalidRequest, StoreUnavailable
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials
from stores.kubernetes import api, kubeconfig
from stores.kubernetes.store import KubernetesStore
from tests.stores.kubernetes.opening import open_store
from tests.support.certificates import CertificateAuthority

NAME = ScopedName.parse("team-a/database")
SECRET = b'{"metadata":{"resourceVersion":"1","uid":"u"},"data":{"k":"dg=="}}'
Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serve(ca: CertificateAuthority, tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a server that gives one answer to everything; returns its port."""
    async with AsyncExitStack() as stack:

        async def start(answer: bytes | Answering, asked: list[str], *, tls: bool = True) -> int:
            async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(writer)
                writer.close()

            context = _context(ca, tmp_path) if tls else None
            server = await asyncio.start_server(answered, "127.0.0.1", ssl=context)
            stack.callback(server.close)
            port: int = server.sockets[0].getsockname()[1]
            return port

        yield start


def _context(ca: CertificateAuthority, directory: Path) -> ssl.SSLContext:
    shown = ca.server("127.0.0.1").write(directory / "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown / "tls.crt", shown / "tls.key")
    return context


def values(ca: CertificateAuthority, port: int) -> dict[str, bytes]:
    """A kubeconfig that names the server at a port."""
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority-data": b64encode(ca.pem).decode(),
    }
    document = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t0ken"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return {"kubeconfig": yaml.safe_dump(document).encode()}


async def opened(ca: CertificateAuthority, port: int) -> KubernetesStore:
    return await open_store(MemoryCredentials(values(ca, port)))


def response(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
async def test_nobody_is_asked_but_the_server_that_is_named(
    serve: Serve, ca: CertificateAuthority, status: str
) -> None:
    elsewhere: list[str] = []
    port = await serve(response(SECRET), elsewhere, tls=False)
    asked: list[str] = []
    location = response(b"", status, Location=f"http://127.0.0.1:{port}/latest/meta-data")
    store = await opened(ca, await serve(location, asked))
    with pytest.raises(StoreUnavailable):
        await store.read(NAME)
    with pytest.raises(StoreUnavailable):
        await store.write(NAME, Secret({"k": b"v"}), base=ABSENT)
    await store.aclose()
    assert len(asked) == 2
    assert not elsewhere


async def test_an_answer_without_an_end_is_given_up(
    serve: Serve, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST_BYTES", 256 * 1024)
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while sent < 1024**3:
            writer.write(b" " * 65536)
            sent += 65536
            try:
                await writer.drain()
            except ConnectionError:
                return

    store = await opened(ca, await serve(endless, []))
    with pytest.raises(StoreUnavailable, match="larger than"):
        await store.read(NAME)
    await store.aclose()
    assert sent < 1024**3


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"metadata":7}',
        b'{"metadata":{"resourceVersion":1,"uid":"u"}}',
        b'{"metadata":{"resourceVersion":"1","uid":"u"},"data":{"k":"c4nary-v4lue-"}}',
        b'{"metadata":{"resourceVersion":"1","uid":"u"},"data":{"k":7}}',
    ],
    ids=["a page", "a list", "nothing", "deep", "no metadata", "no version", "no base64", "no text"],
)
async def test_what_is_no_secret_is_the_servers_fault(
    serve: Serve, ca: CertificateAuthority, body: bytes
) -> None:
    store = await opened(ca, await serve(response(body), []))
    with pytest.raises(StoreUnavailable, match="what") as told:
        await store.read(NAME)
    await store.aclose()
    assert "c4nary" not in f"{told.value!r} {told.value.__cause__!r} {told.value.__context__!r}"


async def test_a_written_answer_that_is_none_is_the_servers_fault(
    serve: Serve, ca: CertificateAuthority
) -> None:
    store = await opened(ca, await serve(response(b"{}", "201 Created"), []))
    with pytest.raises(StoreUnavailable, match="no Secret"):
        await store.write(NAME, Secret({"k": b"v"}), base=ABSENT)
    await store.aclose()


async def test_what_the_server_says_is_cut(serve: Serve, ca: CertificateAuthority) -> None:
    told = b'{"message":"' + b"x" * 100_000 + b'"}'
    store = await opened(ca, await serve(response(told, "400 Bad Request"), []))
    with pytest.raises(InvalidRequest) as refused:
        await store.read(NAME)
    await store.aclose()
    assert len(refused.value.message) < 1000


BOMB = "\n".join(
    [
        "l0: &l0 [" + ",".join(["lol"] * 10) + "]",
        *(f"l{n}: &l{n} [" + ",".join([f"*l{n - 1}"] * 10) + "]" for n in range(1, 10)),
    ]
)
"""Ten lists in ten lists, nine times: ten thousand million words, where somebody writes them out."""


def with_bomb(field: str) -> bytes:
    """A kubeconfig that has it as the value of a field."""
    fields = {"server": "https://127.0.0.1:1", "token": "t", "cluster": "c", "current-context": "x"}
    chosen = {**fields, field: "*l9"}
    return f"""{BOMB}
clusters: [{{name: c, cluster: {{server: {chosen["server"]}}}}}]
users: [{{name: u, user: {{token: {chosen["token"]}}}}}]
contexts: [{{name: x, context: {{cluster: {chosen["cluster"]}, user: u}}}}]
current-context: {chosen["current-context"]}
""".encode()


@pytest.mark.parametrize("field", ["server", "token", "cluster", "current-context"])
async def test_nothing_stands_for_more_than_is_written(field: str) -> None:
    with pytest.raises(ConfigInvalid, match="alias"):
        await open_store(MemoryCredentials({"kubeconfig": with_bomb(field)}))


@pytest.mark.parametrize("block", ["server", "token"])
async def test_fields_are_text(block: str) -> None:
    text = b'{"clusters":[{"name":"c","cluster":{"server":"https://a"}}],"users":[{"name":"u","user":{"token":"t"}}],'
    text += b'"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],"current-context":"x"}'
    value = {"server": b'"https://a"', "token": b'"t"'}[block]
    key = f'"{block}":'.encode()
    with pytest.raises(ConfigInvalid, match=f"{block} in the kubeconfig is no text"):
        await open_store(MemoryCredentials({"kubeconfig": text.replace(key + value, key + b'["a"]')}))


async def test_one_that_is_too_large_is_refused_unread() -> None:
    text = b"# " + b"x" * kubeconfig.MOST_BYTES
    with pytest.raises(ConfigInvalid, match="larger than"):
        await open_store(MemoryCredentials({"kubeconfig": text}))


@pytest.mark.parametrize("level", [b"[", b"{a: ", b"- ", b"? "], ids=["list", "block", "dashes", "keys"])
async def test_one_that_is_nested_without_end_is_not_read_to_its_end(level: bytes) -> None:
    """Each level costs more than the one before: this would hold up all others for a minute."""
    text = level * (kubeconfig.MOST_BYTES // len(level))
    with pytest.raises(ConfigInvalid, match="nested deeper than 32 levels"):
        await open_store(MemoryCredentials({"kubeconfig": text}))


async def test_one_that_was_refused_is_not_read_again(
    serve: Serve, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    read = kubeconfig._parsed

    def counted(text: bytes) -> Mapping[str, Any]:
        asked.append(text)
        return read(text)

    resolved = MemoryCredentials(values(ca, await serve(response(SECRET), [])))
    store = await open_store(resolved)
    monkeypatch.setattr(kubeconfig, "_parsed", counted)
    resolved.replace({"kubeconfig": b"{}"})
    for _ in range(3):
        with pytest.raises(ConfigInvalid, match="no context"):
            await store.read(NAME)
    assert asked == [b"{}"]
    resolved.replace(values(ca, await serve(response(SECRET), [])))
    assert (await store.read(NAME)).present
    await store.aclose()
