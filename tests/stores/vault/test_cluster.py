"""A cluster: a real second OpenBao as standby, and what only Vault Enterprise answers, played
by a small HTTP server."""

import asyncio
import base64
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from store_plugin.errors import StorePluginError, StoreUnavailable, Throttled
from store_plugin.model import ABSENT, ScopedName, Secret
from stores.vault.cluster.index import HEADER, LastIndex
from stores.vault.cluster.redirect import target_of
from stores.vault.cluster.transport import ClusterTransport
from stores.vault.http.answer import Answer
from stores.vault.store import VaultStore
from tests.stores.vault.opening import engine_over, open_with_token, soon
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao, standby_of, stored_server

NAME = ScopedName.parse("team-a/d+b@x")
SECRET = Secret({"a": b"1"}, {"label": "x"})
_PATIENCE = 5
"""A leader that hears nothing of its follower for half a second is one no more, unless told to be patient:
a busy machine stands still for longer."""
both_clients = pytest.mark.usefixtures("both_clients")


# A real standby. It forwards writes and serves reads; told not to forward, it redirects.


@pytest.fixture(scope="module")
def active(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with stored_server(tmp_path_factory.mktemp("active"), patience=_PATIENCE) as server:
        yield server


@pytest.fixture(scope="module")
def standby(active: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with standby_of(active, tmp_path_factory.mktemp("standby"), patience=_PATIENCE) as server:
        yield server


@pytest.fixture
def unforwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that a standby must not forward."""
    from stores.vault.session import session

    headers = session.base_headers
    monkeypatch.setattr(
        session, "base_headers", lambda of: {**headers(of), "X-Vault-No-Request-Forwarding": "true"}
    )


@pytest.fixture
def mount(active: OpenBao, standby: OpenBao) -> str:
    """Ready on both."""
    mount = active.mount_kv("v2")
    standby.wait_until_upgraded(mount)
    return mount


async def a_round_at(server: OpenBao, mount: str) -> None:
    """Every kind of request, each seeing what the one before wrote."""
    store = await open_with_token(server, mount)
    engine = engine_over(store)
    for value in (b"1", b"2", b"3"):
        await engine.apply(NAME, Secret({"a": value}, {"label": "x"}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"a": value}
    assert [name async for name in store.names()] == [NAME]
    await engine.delete(NAME, [], deadline=soon())
    assert not (await engine.get(NAME)).present
    assert await store.check() == []
    await store.aclose()


@both_clients
async def test_a_standby_serves_all_requests(standby: OpenBao, mount: str) -> None:
    await a_round_at(standby, mount)


@both_clients
@pytest.mark.usefixtures("unforwarded")
async def test_a_standby_that_redirects_leads_to_the_active_node(standby: OpenBao, mount: str) -> None:
    await a_round_at(standby, mount)


async def test_what_we_wrote_is_asked_for_by_its_index(standby: OpenBao, mount: str) -> None:
    store = await open_with_token(standby, mount)
    await store.write(NAME, SECRET, base=ABSENT)
    transport = store._transport
    assert isinstance(transport, ClusterTransport)
    assert transport._index.value
    # A position far ahead of the server's: this is how a standby answers that lags behind.
    found = json.loads(base64.b64decode(transport._index.value))
    ahead = base64.b64encode(json.dumps({**found, "value": "999999999"}).encode()).decode()
    headers = {"X-Vault-Token": standby.root_token, HEADER: ahead}
    answer = await transport._home.send("GET", "/v1/auth/token/lookup-self", headers)
    assert (answer.status, answer.body.strip()) == (429, b'{"errors":[]}')
    await store.aclose()


# What OpenBao does not answer, played.


class Played:
    """Answers with `answers`, one a request, and then as a KV with nothing in it."""

    def __init__(self) -> None:
        self.address = ""
        self.answers: deque[tuple[int, Mapping[str, str], str]] = deque()
        self.seen: list[tuple[str, str, str | None]] = []
        """Method, path and index of each request that carried a token."""

    def play(self, status: int, body: str = '{"errors":[]}', **headers: str) -> None:
        self.answers.append((status, {name.replace("_", "-"): text for name, text in headers.items()}, body))

    async def answer(self, request: web.Request) -> web.Response:
        if "X-Vault-Token" in request.headers:
            self.seen.append((request.method, request.raw_path, request.headers.get(HEADER)))
        if "lookup-self" in request.path:
            return web.Response(text='{"data":{"ttl":0}}')
        status, headers, body = self.answers.popleft() if self.answers else (404, {}, '{"errors":[]}')
        return web.Response(status=status, headers=headers, text=body)


@asynccontextmanager
async def playing(context: ssl.SSLContext | None = None) -> AsyncIterator[Played]:
    played = Played()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", played.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    played.address = f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield played
    finally:
        await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Played]:
    async with playing() as played:
        yield played


@pytest.fixture
async def node() -> AsyncIterator[Played]:
    async with playing() as played:
        yield played


@pytest.fixture
async def store(bao: OpenBao, server: Played) -> AsyncIterator[VaultStore]:
    store = await open_with_token(bao, "kv", server=server.address)
    assert not (await store.read(NAME)).present
    server.seen.clear()
    yield store
    await store.aclose()


PATH = "/v1/kv/data/team-a/d%2Bb%40x"
WRITTEN = '{"data":{"version":1,"custom_metadata":null}}'


@both_clients
@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_to_the_same_path_is_followed(
    store: VaultStore, server: Played, node: Played, status: int
) -> None:
    server.play(status, Location=f"{node.address}/v1/kv/data/team-a/d+b@x")
    node.play(200, WRITTEN)
    assert await store.write(NAME, Secret({"a": b"1"}), base=ABSENT) == "1"
    assert node.seen == [("POST", PATH, None)]


@both_clients
@pytest.mark.parametrize(
    "location",
    [
        pytest.param("{node}/v1/sys/seal", id="another-path"),
        pytest.param("{node}/v1/kv/data/team-a/d+b@x/more", id="a-path-below"),
        pytest.param("/v1/kv/data/team-a/d+b@x", id="no-server"),
        pytest.param("{server}/v1/kv/data/team-a/d+b@x", id="itself"),
        pytest.param("ftp://127.0.0.1/v1/kv/data/team-a/d+b@x", id="another-scheme"),
        pytest.param("http://user:pw@127.0.0.1/v1/kv/data/team-a/d+b@x", id="with-a-user"),
        pytest.param("http://[::1/v1/kv/data/team-a/d+b@x", id="no-address"),
        pytest.param("", id="empty"),
    ],
)
async def test_a_redirect_to_anything_else_is_not(
    store: VaultStore, server: Played, node: Played, location: str
) -> None:
    server.play(307, Location=location.format(node=node.address, server=server.address))
    with pytest.raises(StoreUnavailable, match=r"elsewhere.*name the right address"):
        await store.read(NAME)
    assert (len(server.seen), node.seen) == (1, [])


@both_clients
async def test_a_token_never_leaves_tls(
    bao: OpenBao, node: Played, ca: CertificateAuthority, tmp_path: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    directory = ca.server("127.0.0.1").write(tmp_path)
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    async with playing(context) as server:
        store = await open_with_token(bao, "kv", server=server.address, ca=ca.pem)
        server.play(307, Location=f"{node.address}{PATH}")
        with pytest.raises(StoreUnavailable, match="elsewhere"):
            await store.read(NAME)
        assert node.seen == []
        await store.aclose()


async def test_servers_that_name_each_other_are_asked_three_times(
    store: VaultStore, server: Played, node: Played
) -> None:
    for _ in range(3):
        server.play(307, Location=f"{node.address}{PATH}")
        node.play(307, Location=f"{server.address}{PATH}")
    with pytest.raises(StoreUnavailable, match="one to the other"):
        await store.read(NAME)
    assert len(server.seen) + len(node.seen) == 3


async def test_connections_to_few_nodes_are_kept(store: VaultStore, server: Played) -> None:
    async with playing() as a, playing() as b, playing() as c, playing() as d, playing() as e:
        for node in (a, b, c, d, e, a):
            server.play(307, Location=f"{node.address}{PATH}")
            assert not (await store.read(NAME)).present
            assert node.seen
        transport = store._transport
        assert isinstance(transport, ClusterTransport)
        assert list(transport._nodes) == [node.address for node in (c, d, e, a)]


@both_clients
@pytest.mark.parametrize("status", [412, 429])
async def test_a_server_that_lags_behind_our_write_is_asked_again(
    store: VaultStore, server: Played, status: int
) -> None:
    """412: Vault Enterprise. 429 without a word: OpenBao, whose real answer is above."""
    server.play(200, WRITTEN, X_Vault_Index="first")
    await store.write(NAME, Secret({"a": b"1"}), base=ABSENT)
    for _ in range(3):
        server.play(status)
    assert not (await store.read(NAME)).present
    assert [index for _, _, index in server.seen] == [None, *["first"] * 4]


async def test_a_server_that_lags_too_long_is_told(store: VaultStore, server: Played) -> None:
    transport = store._transport
    assert isinstance(transport, ClusterTransport)
    transport._timeout = 0.2
    for _ in range(50):
        server.play(412)
    with pytest.raises(StoreUnavailable, match="lags behind a write of ours"):
        await store.read(NAME)
    assert 1 < len(server.seen) < 10


async def test_an_index_of_a_read_is_not_asked_for(store: VaultStore, server: Played) -> None:
    server.play(404, X_Vault_Index="of-a-read")
    for _ in range(2):
        await store.read(NAME)
    assert [index for _, _, index in server.seen] == [None, None]


@both_clients
@pytest.mark.parametrize(
    ("status", "body", "kind", "todo"),
    [
        pytest.param(429, '{"errors":["rate limit quota exceeded"]}', Throttled, "quota", id="quota"),
        pytest.param(429, '{"errors":[]}', Throttled, "quota", id="429-without-an-index"),
        pytest.param(472, "{}", StoreUnavailable, "a server of the primary", id="disaster-recovery"),
        pytest.param(473, "{}", StoreUnavailable, "load balancer", id="performance-standby"),
        pytest.param(501, "{}", StoreUnavailable, "operator init", id="not-initialized"),
        pytest.param(502, "<html>", StoreUnavailable, "before it", id="bad-gateway"),
        pytest.param(503, '{"errors":["Vault is sealed"]}', StoreUnavailable, "operator unseal", id="sealed"),
        pytest.param(503, "", StoreUnavailable, "maintenance", id="maintenance"),
        pytest.param(504, "", StoreUnavailable, "in vain", id="gateway-timeout"),
    ],
)
async def test_a_state_is_told_with_what_to_do(
    store: VaultStore, server: Played, status: int, body: str, kind: type[StorePluginError], todo: str
) -> None:
    server.play(status, body, Retry_After="3")
    with pytest.raises(kind, match=todo) as caught:
        await store.read(NAME)
    assert caught.value.retry_after == 3.0


# The rules, alone.


@pytest.mark.parametrize(
    ("location", "server", "target"),
    [
        ("http://b:8200/v1/kv/x", "http://a:8200", "http://b:8200"),
        ("https://b/v1/kv/x?list=true", "http://a:8200", "https://b"),
        ("https://b/behind/v1/kv/x", "https://a/front", "https://b/behind"),
        ("http://b/v1/kv/x", "https://a", None),
        ("https://a/v1/kv/x", "https://a", None),
        ("https://b/v1/kv/../x", "https://a", None),
        (None, "https://a", None),
    ],
)
def test_targets(location: str | None, server: str, target: str | None) -> None:
    assert target_of(location, "/v1/kv/x", server) == target


def openbaos(cluster: str, value: int) -> str:
    return base64.b64encode(json.dumps({"cluster": cluster, "value": str(value)}).encode()).decode()


def vaults(cluster: str, local: int, replicated: int) -> str:
    return base64.b64encode(f"v1:{cluster}:{local}:{replicated}:mac".encode()).decode()


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        pytest.param(openbaos("c", 9), openbaos("c", 10), 1, id="newer"),
        pytest.param(openbaos("c", 10), openbaos("c", 9), 0, id="older"),
        pytest.param(openbaos("c", 10), openbaos("d", 9), 1, id="another-cluster"),
        pytest.param(vaults("c", 5, 0), vaults("c", 4, 9), 0, id="vault-older"),
        pytest.param(vaults("c", 5, 0), vaults("c", 5, 1), 1, id="vault-newer"),
        pytest.param(openbaos("c", 10), "?", 1, id="unknown"),
        pytest.param("?", openbaos("c", 10), 1, id="after-unknown"),
        pytest.param(openbaos("c", 10), base64.b64encode(b"[]").decode(), 1, id="no-object"),
    ],
)
def test_the_newest_index_is_kept(first: str, second: str, kept: int) -> None:
    index = LastIndex()
    headers: dict[str, str] = {"X-Vault-Token": "t"}
    assert index.added(headers) is headers
    for seen in (first, second):
        index.note(seen)
    added = index.added(headers)
    assert added == {**headers, HEADER: (first, second)[kept]}
    assert index.added(headers) is added


def test_an_answer_without_these_headers_says_so() -> None:
    assert (Answer("x", 200, b"").location, Answer("x", 200, b"").index) == (None, None)


async def test_a_node_is_closed_with_the_store(bao: OpenBao, server: Played, node: Played) -> None:
    store = await open_with_token(bao, "kv", server=server.address)
    await store.read(NAME)
    server.play(307, Location=f"{node.address}{PATH}")
    await store.read(NAME)
    await store.aclose()
    transport = store._transport
    assert isinstance(transport, ClusterTransport)
    with pytest.raises(StoreUnavailable, match="closed"):
        await asyncio.gather(*(kept.send("GET", PATH, {}) for kept in transport._nodes.values()))
