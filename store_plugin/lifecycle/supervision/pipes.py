"""Pipes of child processes, read and written when somebody asks, and closed by nobody else.

Not with the loop's `connect_read_pipe`: uvloop closes the descriptor, and then the file that it came
with. In between, the number may have become a file that another thread has just opened, such as the
audit record, and that one is closed instead.
"""

import asyncio
import os
from typing import IO

_CHUNK = 4096


class Pipe:
    """The end that is read. Its owner closes it; one reader at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""
        os.set_blocking(file.fileno(), False)

    async def read(self, most: int) -> bytes:
        """What there is, as soon as there is something; empty at the end."""
        while True:
            try:
                return os.read(self._file.fileno(), most)
            except BlockingIOError:
                await self._readable()

    async def line(self) -> bytes:
        """The next line; at the end what is left, if anything. For writers of ours: it has no bound."""
        while b"\n" not in self._rest and (chunk := await self.read(_CHUNK)):
            self._rest += chunk
        line, end, self._rest = self._rest.partition(b"\n")
        return line + end

    def close(self) -> None:
        self._file.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        descriptor = self._file.fileno()
        loop.add_reader(descriptor, _tell, ready)
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)


async def write_all(file: IO[bytes], content: bytes) -> None:
    """Write to a pipe, also more than it has room for. OSError where nobody reads any more."""
    descriptor = file.fileno()
    os.set_blocking(descriptor, False)
    while content:
        try:
            content = content[os.write(descriptor, content) :]
        except BlockingIOError:
            await _writable(descriptor)


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(descriptor, _tell, ready)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


def _tell(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
