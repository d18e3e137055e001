"""One client, many threads, tasks and loops."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf.message import Message

from store_plugin._proto import ess_pb2
from store_plugin.client import AsyncClient, Client
from store_plugin.errors import Cancelled
from tests.client.ess_server import EssServer
from tests.support.waiting import eventually

CONFIG = "LocalConfig/files"


@pytest.fixture
def echoing(server: EssServer) -> EssServer:
    """A server that answers each get with the name it was asked for, and tells its peers."""

    def answer(request: Message, context: object) -> Message:
        assert isinstance(request, ess_pb2.GetSecretRequest)
        peers.add(context.peer())  # type: ignore[attr-defined]
        return ess_pb2.GetSecretResponse(version=request.secret.scoped_name)

    peers: set[str] = set()
    server.answers["GetSecret"] = answer
    return server


def test_threads_share_a_client(endpoint: str, echoing: EssServer) -> None:
    names = [f"team/{number}" for number in range(200)]
    with Client(endpoint) as client, ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda name: client.get(CONFIG, name).version, names))
    assert found == names


def test_first_calls_of_many_threads_make_one_channel(endpoint: str, echoing: EssServer) -> None:
    made: list[object] = []
    with Client(endpoint) as client, ThreadPoolExecutor(16) as threads:
        opened = client._transport._open
        client._transport._open = lambda: made.append(1) or opened()  # type: ignore
        list(threads.map(lambda _: client.get(CONFIG, "team/x"), range(32)))
    assert len(made) == 1


async def test_tasks_share_a_client(endpoint: str, echoing: EssServer) -> None:
    names = [f"team/{number}" for number in range(200)]
    async with AsyncClient(endpoint) as client:
        found = await asyncio.gather(*(client.get(CONFIG, name) for name in names))
    assert [secret.version for secret in found] == names


def test_loops_one_after_the_other_share_a_client(endpoint: str, echoing: EssServer) -> None:
    client = AsyncClient(endpoint)

    async def get(name: str) -> str | None:
        return (await client.get(CONFIG, name)).version

    assert [asyncio.run(get(f"team/{number}")) for number in range(3)] == ["team/0", "team/1", "team/2"]
    asyncio.run(client.close())


def test_loops_in_several_threads_share_a_client(endpoint: str, echoing: EssServer) -> None:
    client = AsyncClient(endpoint)

    async def get_twice(name: str) -> list[str | None]:
        found = await asyncio.gather(client.get(CONFIG, name), client.get(CONFIG, name))
        return [secret.version for secret in found]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda n: asyncio.run(get_twice(f"team/{n}")), range(8)))
    assert found == [[f"team/{number}"] * 2 for number in range(8)]
    asyncio.run(client.close())


async def test_cancelled_task_cancels_its_call(endpoint: str, server: EssServer) -> None:
    cancelled, arrived = threading.Event(), threading.Event()

    def answer(_request: Message, context: object) -> Message:
        context.add_callback(cancelled.set)  # type: ignore[attr-defined]
        arrived.set()
        cancelled.wait(20)
        return ess_pb2.GetSecretResponse()

    server.answers["GetSecret"] = answer
    async with AsyncClient(endpoint) as client:
        task = asyncio.create_task(client.get(CONFIG, "team/x"))
        await asyncio.to_thread(arrived.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(cancelled.wait, 20)


async def test_close_ends_the_calls_of_other_tasks_with_an_error(endpoint: str, server: EssServer) -> None:
    """Not with a CancelledError, which would look as if their tasks had been cancelled."""
    release = threading.Event()
    server.answers["GetSecret"] = lambda *_: (release.wait(20), ess_pb2.GetSecretResponse())[1]
    client = AsyncClient(endpoint)
    task = asyncio.create_task(client.get(CONFIG, "team/x"))
    await asyncio.to_thread(eventually, lambda: server.received)
    await client.close()
    with pytest.raises(Cancelled, match="closed"):
        await task
    release.set()


def test_close_ends_the_calls_of_other_threads_with_an_error(endpoint: str, server: EssServer) -> None:
    release = threading.Event()
    server.answers["GetSecret"] = lambda *_: (release.wait(20), ess_pb2.GetSecretResponse())[1]
    client = Client(endpoint)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.get, CONFIG, "team/x")
        eventually(lambda: server.received)
        client.close()
        with pytest.raises(Cancelled):
            call.result(20)
        release.set()


async def test_close_ends_the_calls_of_tasks_that_wait_for_a_server(endpoint: str) -> None:
    client = AsyncClient(endpoint, connect_timeout=30)
    task = asyncio.create_task(client.get(CONFIG, "team/x"))
    await asyncio.sleep(0.2)
    await client.close()
    with pytest.raises(Cancelled, match="closed"):
        await task


def test_close_ends_the_calls_of_threads_that_wait_for_a_server(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, waits = Client(endpoint, connect_timeout=30), threading.Event()
    wait = client._transport._await_connection
    monkeypatch.setattr(client._transport, "_await_connection", lambda *told: (waits.set(), wait(*told)))
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.get, CONFIG, "team/x")
        assert waits.wait(20)
        client.close()
        with pytest.raises(Cancelled, match="closed"):
            call.result(20)


async def test_the_loop_is_free_while_connecting(endpoint: str) -> None:
    """Another task runs on while a client waits for its server."""
    steps = 0
    async with AsyncClient(endpoint, connect_timeout=30) as client:
        waiting = asyncio.create_task(client.get(CONFIG, "team/x"))
        for _ in range(20):
            await asyncio.sleep(0.01)
            steps += 1
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert steps == 20
