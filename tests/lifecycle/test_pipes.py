"""Pipes of child processes, on asyncio's loop and on the one that the sidecar has."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from store_plugin.lifecycle.supervision.pipes import Pipe, write_all

PIPES = 2000
WRITERS = 4


@contextmanager
def pipe() -> Iterator[tuple[Pipe, int]]:
    output, given = os.pipe()
    reading = Pipe(os.fdopen(output, "rb"))
    try:
        yield reading, given
    finally:
        reading.close()


async def test_lines_come_one_by_one_and_the_rest_at_the_end() -> None:
    with pipe() as (reading, given):
        first = asyncio.create_task(reading.line())
        await asyncio.sleep(0)
        os.write(given, b"one\ntwo\nth")
        assert [await first, await reading.line()] == [b"one\n", b"two\n"]
        os.write(given, b"ree")
        os.close(given)
        assert [await reading.line(), await reading.line()] == [b"three", b""]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_more_than_a_pipe_has_room_for_is_written_while_it_is_read(loop: Any) -> None:
    content = bytes(range(256)) * 4096

    async def run() -> bytes:
        with pipe() as (reading, given), os.fdopen(given, "wb", buffering=0) as file:
            writing = asyncio.create_task(write_all(file, content))
            found = b""
            while len(found) < len(content):
                found += await reading.read(10_000)
            await writing
            return found

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(run()) == content


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_writer_is_told_when_nobody_reads_any_more(loop: Any) -> None:
    async def run() -> None:
        with pipe() as (reading, given), os.fdopen(given, "wb", buffering=0) as file:
            writing = asyncio.create_task(write_all(file, bytes(1_000_000)))
            await reading.read(1)
            reading.close()
            with pytest.raises(BrokenPipeError):
                await writing

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


async def test_what_nobody_asks_for_stays_in_the_pipe() -> None:
    with pipe() as (reading, given):
        os.set_blocking(given, False)
        held = 0
        with pytest.raises(BlockingIOError):
            while True:
                held += os.write(given, bytes(4096))
        os.close(given)
        found = 0
        while chunk := await reading.read(10_000):
            found += len(chunk)
        assert found == held


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_end_of_a_pipe_closes_nobody_elses_file(loop: Any, tmp_path: Path) -> None:
    """With uvloop's own reading of pipes this ends the process of the tests."""
    problems: list[OSError] = []
    enough = threading.Event()

    def write(file: Path) -> None:
        while not enough.is_set():
            try:
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
                os.write(descriptor, b"a record")
                os.close(descriptor)
            except OSError as error:
                problems.append(error)

    async def read() -> None:
        for _ in range(PIPES):
            with pipe() as (reading, given):
                os.write(given, b"hello\n")
                os.close(given)
                assert [await reading.line(), await reading.line()] == [b"hello\n", b""]

    writers = [threading.Thread(target=write, args=(tmp_path / str(one),)) for one in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(read())
    finally:
        enough.set()
        for writer in writers:
            writer.join()
    assert problems == []
