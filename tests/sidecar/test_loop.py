"""Names are looked up so that one that nobody resolves keeps no other waiting."""

import asyncio
import gc
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import aiohttp
import pytest

from store_plugin.errors import StoreUnavailable
from store_plugin.sidecar import loop as sidecar_loop
from store_plugin.sidecar.loop import Loop
from store_plugin.testing.environment import memory_environment
from stores.vault.http.transport import open_transport
from tests.stores.vault.opening import WITH_TOKEN, spec_of
from tests.stores.vault.scripted import ScriptedServer
from tests.support.waiting import until

T = TypeVar("T")
PATIENCE = 30.0
LOOK_UP = socket.getaddrinfo


class Names:
    """What `socket.getaddrinfo` knows: `silent…` hangs until `speak`, `unknown…` is nobody, any
    other name is this machine."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.speak = threading.Event()

    def getaddrinfo(self, host: str, *question: Any) -> Any:
        port, family, kind, proto, flags = (*question, 0, 0, 0, 0)[:5]
        if flags & socket.AI_NUMERICHOST:
            return LOOK_UP(host, *question)
        self.asked[host] += 1
        if host.startswith("silent") and not self.speak.wait(PATIENCE):
            raise AssertionError("the test did not end")
        if "unknown" in host:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return LOOK_UP("127.0.0.1", port, family, kind, proto)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    yield names
    names.speak.set()


def run(main: Callable[[], Awaitable[T]]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE):
            return await main()

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(bounded())


def look_up(name: str) -> "asyncio.Task[Any]":
    loop = asyncio.get_running_loop()
    return asyncio.ensure_future(loop.getaddrinfo(name, 80, type=socket.SOCK_STREAM))


def test_silent_names_keep_no_other_waiting(names: Names) -> None:
    async def main() -> None:
        silent = [look_up(f"silent-{number}") for number in range(50)]
        assert (await look_up("other"))[0][4] == ("127.0.0.1", 80)
        assert not any(task.done() for task in silent)
        names.speak.set()
        assert all(await asyncio.gather(*silent))

    run(main)


def test_all_who_ask_for_a_name_share_one_look_up(names: Names) -> None:
    async def main() -> None:
        asking = [look_up("silent") for _ in range(100)]
        await asyncio.sleep(0)
        asking.pop().cancel()
        names.speak.set()
        assert all(await asyncio.gather(*asking))
        assert names.asked["silent"] == 1
        await look_up("silent")
        assert names.asked["silent"] == 2, "no answer is kept"

    run(main)


def test_addresses_are_nobody_asked_for(names: Names) -> None:
    async def main() -> None:
        assert (await look_up("127.0.0.9"))[0][4] == ("127.0.0.9", 80)
        assert (await look_up("::1"))[0][4][0] == "::1"
        assert not names.asked

    run(main)


def test_an_unknown_name_is_told_to_all_who_ask(names: Names) -> None:
    async def main() -> None:
        outcomes = await asyncio.gather(*(look_up("unknown") for _ in range(3)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {socket.gaierror}

    run(main)


def test_only_so_many_names_are_looked_up_at_a_time(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar_loop, "MOST", 3)

    async def main() -> None:
        silent = [look_up(f"silent-{number}") for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(socket.gaierror, match="3 other names") as caught:
            await look_up("other")
        assert caught.value.errno == socket.EAI_AGAIN
        names.speak.set()
        await asyncio.gather(*silent)
        assert await look_up("other")

    run(main)


def test_a_name_that_gets_no_thread_is_told_and_asked_for_again(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Pod may have no more than so many threads."""

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none_left)
            with pytest.raises(socket.gaierror, match="no thread") as caught:
                await look_up("other")
        assert caught.value.errno == socket.EAI_AGAIN
        assert await look_up("other")

    run(main)


def test_a_failure_that_nobody_waits_for_any_more_is_not_complained_about(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        asking = look_up("silent-unknown")
        await until(lambda: names.asked)
        asking.cancel()
        await asyncio.wait((asking,))
        names.speak.set()
        await until(lambda: not asyncio.get_running_loop()._under_way)  # type: ignore[attr-defined]
        gc.collect()

    run(main)
    assert caplog.messages == []


def test_a_loop_that_ends_leaves_a_look_up_alone(names: Names) -> None:
    async def main() -> None:
        look_up("silent")
        await asyncio.sleep(0)

    before = set(threading.enumerate())  # those of look-ups before may not have ended yet
    run(main)
    (thread,) = [one for one in set(threading.enumerate()) - before if one.name == "getaddrinfo"]
    names.speak.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("client", ["Lean", "Aiohttp"])
def test_stores_whose_names_are_silent_keep_no_other_from_connecting(
    names: Names, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setattr("stores.vault.http.lean.CONNECT_SECONDS", PATIENCE)

    async def main() -> None:
        async with ScriptedServer() as server:
            port = server.address.rpartition(":")[2]
            transports = [
                open_transport(
                    spec_of(f"http://{name}:{port}", "kv", WITH_TOKEN, httpClient=client, timeout="30s"),
                    memory_environment(config="VaultConfig/test"),
                )
                for name in (*(f"silent-{number}" for number in range(9)), "other", "unknown")
            ]
            *silent, other, unknown = transports
            waiting = [asyncio.ensure_future(one.send("GET", "/v1/a", {})) for one in silent]
            assert (await other.send("GET", "/v1/a", {})).ok
            with pytest.raises(StoreUnavailable, match="Name or service not known"):
                await unknown.send("GET", "/v1/a", {})
            assert not any(task.done() for task in waiting)
            names.speak.set()
            assert all(answer.ok for answer in await asyncio.gather(*waiting))
            for transport in transports:
                await transport.aclose()

    run(main)


def test_aiohttp_asks_the_loop(names: Names) -> None:
    """So does everything that speaks HTTP by it, as the Kubernetes client."""

    async def main() -> None:
        async with (
            ScriptedServer() as server,
            aiohttp.ClientSession() as session,
            session.get(server.address.replace("127.0.0.1", "other")) as response,
        ):
            assert response.status == 200
        assert names.asked["other"] == 1

    run(main)
