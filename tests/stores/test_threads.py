"""Threads for calls that block, and that may hang for as long as they like."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import Future
from itertools import count
from pathlib import Path

import pytest

from stores._threads import Threads
from tests.support.waiting import eventually

NAMES = count()


def threads_of(most: int) -> tuple[Threads, str]:
    name = f"test-{next(NAMES)}"
    return Threads(most, name), name


def running(name: str) -> int:
    return sum(thread.name.startswith(f"{name}_") for thread in threading.enumerate())


def test_one_thread_does_what_comes_one_after_the_other() -> None:
    threads, name = threads_of(4)
    for number in range(20):
        assert threads.submit(pow, number, 2).result(30) == number**2
        # It is free a moment after its result is there.
        eventually(lambda: threads._free._value == 1)
    assert running(name) == 1
    threads.shutdown()


def test_no_more_threads_than_told_and_no_work_is_lost() -> None:
    threads, name = threads_of(3)
    release = threading.Event()
    futures = [threads.submit(release.wait, 30) for _ in range(10)]
    eventually(lambda: sum(future.running() for future in futures) == 3)
    assert running(name) == 3
    release.set()
    assert all(future.result(30) for future in futures)
    threads.shutdown()


def test_the_end_lets_work_finish_and_takes_no_more() -> None:
    threads, name = threads_of(2)
    release = threading.Event()
    futures: list[Future[bool]] = [threads.submit(release.wait, 30) for _ in range(6)]
    threads.shutdown()
    threads.shutdown()
    with pytest.raises(RuntimeError):
        threads.submit(print)
    release.set()
    assert all(future.result(30) for future in futures)
    eventually(lambda: running(name) == 0)


def test_an_end_without_work_is_quiet() -> None:
    threads, name = threads_of(2)
    threads.shutdown()
    assert running(name) == 0


def test_where_the_system_has_no_more_threads_those_there_are_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, name = threads_of(3)
    release = threading.Event()

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError, match="can't start"):
            threads.submit(print)
    futures = [threads.submit(release.wait, 30)]
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        futures += [threads.submit(release.wait, 30) for _ in range(3)]
    assert running(name) == 1
    release.set()
    assert all(future.result(30) for future in futures)
    threads.shutdown()


def test_what_is_raised_is_told() -> None:
    threads, _ = threads_of(1)
    for error in (ValueError("no"), SystemExit()):

        def fail(error: BaseException = error) -> None:
            raise error

        assert threads.submit(fail).exception(30) is error
    assert threads.submit(len, "abc").result(30) == 3
    threads.shutdown()


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    threads, _ = threads_of(1)
    release, begun = threading.Event(), list[int]()
    loop = asyncio.get_running_loop()
    first = loop.run_in_executor(threads, release.wait, 30)
    second = loop.run_in_executor(threads, begun.append, 2)
    second.cancel()
    release.set()
    assert await first
    await loop.run_in_executor(threads, begun.append, 3)
    assert begun == [3]
    threads.shutdown()


READ_FROM_A_SERVER_THAT_NEVER_ANSWERS = """
import asyncio, socket, sys
from stores.aws.access import client
from tests.stores.aws.opening import open_static
from store_plugin.model import ScopedName

client.READ_SECONDS = 3600
accepted = []  # to the end of the process

async def main(server):
    store = await open_static(f"http://127.0.0.1:{server.getsockname()[1]}")
    reading = asyncio.create_task(store.read(ScopedName.parse("team-a/db")))
    accepted.append(await asyncio.to_thread(server.accept))
    reading.cancel()
    await asyncio.wait([reading])
    await store.aclose()

server = socket.create_server(("127.0.0.1", 0))
asyncio.run(main(server))
"""


def test_a_request_that_is_never_answered_does_not_hold_up_the_end_of_the_process() -> None:
    command = [sys.executable, "-c", READ_FROM_A_SERVER_THAT_NEVER_ANSWERS]
    subprocess.run(command, check=True, timeout=90, cwd=Path(__file__).parents[2])
