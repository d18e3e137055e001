"""A server that is sealed, killed, slow, or not Vault at all: errors have the right code,
and the store goes on by itself once the server is back."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientTimeout, web

from store_plugin.errors import (
    ConfigInvalid,
    DeadlineExceeded,
    StorePluginError,
    StoreUnavailable,
    Throttled,
    TooLarge,
)
from store_plugin.model import ABSENT, ScopedName, Secret
from stores.vault.cluster.transport import ClusterTransport
from stores.vault.http.general import AiohttpTransport
from stores.vault.http.lean import LeanTransport
from stores.vault.store import VaultStore
from tests.stores.vault.opening import engine_over, open_with_token, soon
from tests.support.openbao import OpenBao, stored_server
from tests.support.ports import free_port
from tests.support.proxy import Proxy

pytestmark = pytest.mark.usefixtures("both_clients")
NAME = ScopedName.parse("team-a/db")
SECRET = Secret({"a": b"1"}, {"label": "x"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with stored_server(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture
async def store(server: OpenBao) -> AsyncIterator[VaultStore]:
    store = await open_with_token(server, server.mount_kv("v2"))
    await store.write(NAME, SECRET, base=ABSENT)
    yield store
    await store.aclose()


async def test_sealed_and_unsealed(server: OpenBao, store: VaultStore) -> None:
    await asyncio.to_thread(server.seal)
    with pytest.raises(StoreUnavailable, match="sealed"):
        await store.read(NAME)
    with pytest.raises(StoreUnavailable, match="sealed"):
        await store.check()
    await asyncio.to_thread(server.unseal)
    assert (await store.read(NAME)).secret == SECRET


async def test_killed_and_started_again(server: OpenBao, store: VaultStore) -> None:
    await asyncio.to_thread(server.kill)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.read(NAME)
    await asyncio.to_thread(server.restart)
    assert (await store.read(NAME)).secret == SECRET
    assert await store.write(NAME, SECRET, base=await store.read(NAME)) == "2"


async def test_a_value_larger_than_raft_takes(server: OpenBao, store: VaultStore) -> None:
    with pytest.raises(TooLarge, match="too large"):
        await store.write(NAME, Secret({"a": b"\xff" * 1_000_000}), base=await store.read(NAME))
    assert (await store.read(NAME)).secret == SECRET


async def test_more_strings_than_the_server_takes(bao: OpenBao) -> None:
    store = await open_with_token(bao, bao.mount_kv("v2"))
    with pytest.raises(TooLarge, match="maximum number of strings"):
        await store.write(NAME, Secret({f"key-{n}": b"x" for n in range(10_000)}), base=ABSENT)
    await store.aclose()


async def test_nobody_listens(bao: OpenBao) -> None:
    store = await open_with_token(bao, "kv", server=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable, match="refused") as caught:
        await store.read(NAME)
    assert caught.value.retry_after
    await store.aclose()


async def test_no_such_host(bao: OpenBao) -> None:
    store = await open_with_token(bao, "kv", server="http://nowhere.invalid:8200")
    with pytest.raises(StoreUnavailable):
        await store.read(NAME)
    await store.aclose()


# Slow and silent, through a proxy.


@pytest.fixture
async def proxy(bao: OpenBao) -> AsyncIterator[Proxy]:
    async with Proxy(bao.address) as proxy:
        yield proxy


@pytest.fixture
async def slow_store(bao: OpenBao, proxy: Proxy) -> AsyncIterator[VaultStore]:
    store = await open_with_token(bao, bao.mount_kv("v2"), server=proxy.address)
    await store.write(NAME, SECRET, base=ABSENT)
    yield store
    await store.aclose()


async def test_a_server_that_was_always_silent_ends_at_the_configs_timeout(
    bao: OpenBao, proxy: Proxy
) -> None:
    store = await open_with_token(bao, "kv", server=proxy.address, timeout="300ms")
    proxy.silent = True
    with pytest.raises(DeadlineExceeded, match="lookup-self"):
        await store.read(NAME)
    await store.aclose()


async def test_a_server_that_falls_silent_ends_at_the_timeout_too(
    slow_store: VaultStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.silent = True
    with monkeypatch.context() as patch:
        set_timeout(slow_store, 0.3, patch)
        with pytest.raises(DeadlineExceeded, match=f"GET .*{NAME}"):
            await slow_store.read(NAME)
    proxy.silent = False
    assert (await slow_store.read(NAME)).secret == SECRET


def set_timeout(store: VaultStore, seconds: float, patch: pytest.MonkeyPatch) -> None:
    """Only now: logging in and the first write have all the time that they need."""
    transport = store._transport
    assert isinstance(transport, ClusterTransport)
    home = transport._home
    if isinstance(home, LeanTransport):
        patch.setattr(home, "_timeout", seconds)
    else:
        assert isinstance(home, AiohttpTransport)
        patch.setattr(home._client, "_timeout", ClientTimeout(total=seconds))


async def test_a_callers_own_deadline_ends_a_request_at_once(slow_store: VaultStore, proxy: Proxy) -> None:
    proxy.silent = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await slow_store.read(NAME)
    proxy.silent = False
    assert (await slow_store.read(NAME)).secret == SECRET


async def test_a_slow_server_is_waited_for(slow_store: VaultStore, proxy: Proxy) -> None:
    proxy.delay = 0.05
    assert (await slow_store.read(NAME)).secret == SECRET


async def test_dropped_connections_are_made_anew(slow_store: VaultStore, proxy: Proxy) -> None:
    proxy.drop()
    assert (await slow_store.read(NAME)).secret == SECRET


async def test_a_write_whose_answer_is_lost_is_not_sent_twice(slow_store: VaultStore, proxy: Proxy) -> None:
    """It may have been done: the engine's next read finds out."""
    base = await slow_store.read(NAME)
    proxy.cut_answers = True
    with pytest.raises(StoreUnavailable):
        await slow_store.write(NAME, Secret({"a": b"2"}, SECRET.metadata), base=base)
    assert proxy.count("POST", f"/data/{NAME}") == 2, "one by the fixture, one here"
    proxy.cut_answers = False
    applied = await engine_over(slow_store).apply(NAME, Secret({"a": b"2"}), deadline=soon())
    assert not applied.changed


async def test_a_cancelled_request_leaves_no_task_behind(slow_store: VaultStore, proxy: Proxy) -> None:
    proxy.silent = True
    before = asyncio.all_tasks()
    reading = [asyncio.create_task(slow_store.read(NAME)) for _ in range(16)]
    await asyncio.sleep(0)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    # The proxy's own tasks run on this loop too.
    ours = [
        task for task in asyncio.all_tasks() - before if any(x in repr(task) for x in ("/stores/", "aiohttp"))
    ]
    assert ours == []


# Something else answers.


@pytest.fixture
async def impostor() -> AsyncIterator["Impostor"]:
    impostor = Impostor()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", impostor.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    impostor.address = f"http://127.0.0.1:{port}"
    yield impostor
    await runner.cleanup()


class Impostor:
    """Answers whatever the test says, and notes the tokens it was sent."""

    def __init__(self) -> None:
        self.address = ""
        self.status = 200
        self.body = "{}"
        self.headers: dict[str, str] = {}
        self.paths: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.raw_path)
        return web.Response(status=self.status, text=self.body, headers=self.headers)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "<html>Welcome</html>", StoreUnavailable),
        (200, "{}", StoreUnavailable),
        (200, "[]", StoreUnavailable),
        (200, "\x00", StoreUnavailable),
        (404, "<html>Not Found</html>", StoreUnavailable),
        (404, "{}", StoreUnavailable),
        (404, '{"errors":[]}', StoreUnavailable),
        (502, "<html>Bad Gateway</html>", StoreUnavailable),
        (429, '{"errors":["request rate limit exceeded"]}', Throttled),
    ],
)
async def test_what_is_not_vault_never_looks_like_a_missing_secret(
    bao: OpenBao, impostor: Impostor, status: int, body: str, kind: type[StorePluginError]
) -> None:
    """Neither while logging in nor afterwards."""
    store = await open_with_token(bao, "kv", server=impostor.address)
    impostor.status, impostor.body = status, body
    for call in (store.read(NAME), store.write(NAME, SECRET, base=ABSENT)):
        with pytest.raises(kind):
            await call
    await store.aclose()


async def test_the_servers_wish_to_wait_is_kept(bao: OpenBao, impostor: Impostor) -> None:
    store = await open_with_token(bao, "kv", server=impostor.address)
    impostor.status, impostor.headers = 429, {"Retry-After": "7"}
    with pytest.raises(Throttled) as caught:
        await store.read(NAME)
    assert caught.value.retry_after == 7.0
    await store.aclose()


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_token_does_not_follow_a_redirect_of_no_server_of_vaults(
    bao: OpenBao, impostor: Impostor, proxy: Proxy, status: int
) -> None:
    store = await open_with_token(bao, "kv", server=impostor.address)
    impostor.status, impostor.headers = status, {"Location": f"{proxy.address}/v1/kv/data/{NAME}"}
    with pytest.raises(StoreUnavailable, match="elsewhere"):
        await store.read(NAME)
    assert proxy.requests == []
    await store.aclose()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("team-a/db", "team-a/db"),
        ("a@b/c+d=e", "a%40b/c%2Bd%3De"),
        ("a..b/c.d", "a..b/c.d"),
    ],
)
async def test_each_segment_is_quoted(bao: OpenBao, impostor: Impostor, name: str, path: str) -> None:
    impostor.body = '{"data":{"ttl":0}}'
    store = await open_with_token(bao, "a~b/kv", server=f"{impostor.address}/prefix/")
    with pytest.raises(ConfigInvalid):
        await store.read(ScopedName.parse(name))
    assert impostor.paths[-1] == f"/prefix/v1/a~b/kv/data/{path}"
    await store.aclose()
