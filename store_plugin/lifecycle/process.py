"""One plugin process, kept by a keeper: started, its output as lines, its end.

The keeper is started with `subprocess` in a thread: asyncio's own way forks through gRPC's fork
handlers, which takes tens of milliseconds on the event loop.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from store_plugin.errors import PluginUntrusted, StoreUnavailable
from store_plugin.lifecycle import keeper

LONGEST_LINE = 4096
"""Bytes of a line of output; of a longer one the rest is left out."""
_CHUNK = 32 * 1024
_BYTES_PER_SECOND = 1024 * 1024
_START_SECONDS = 30.0
_END_SECONDS = 15.0
"""Beyond the grace: for killing what is left."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `environment` is all that the process will see."""

    executable: Path
    digest: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    limits: Mapping[str, int | None]
    grace: float
    """Seconds from the request to end until it is killed."""

    def task(self) -> bytes:
        """As the keeper reads it."""
        return (
            json.dumps(
                {
                    "executable": str(self.executable),
                    "digest": self.digest,
                    "arguments": list(self.arguments),
                    "environment": dict(self.environment),
                    "limits": dict(self.limits),
                    "grace": self.grace,
                }
            ).encode()
            + b"\n"
        )


class PluginProcess:
    """A running plugin and its keeper. Made by `start`; its owner awaits `ended` or calls `stop`."""

    def __init__(self, keeping: "subprocess.Popen[bytes]", pid: int, reports: asyncio.StreamReader) -> None:
        self.pid = pid
        self._keeping = keeping
        self._reports = reports
        self._grace = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(
        cls, command: Command, on_line: Callable[[str], None], longest_line: int = LONGEST_LINE
    ) -> "PluginProcess":
        """Start it; `on_line` gets each line of its output, as far as `longest_line` bytes.
        PluginUntrusted where the executable is not the one it should be, StoreUnavailable where it
        cannot be started."""
        output, its_output = os.pipe2(os.O_CLOEXEC)
        try:
            keeping = await asyncio.to_thread(_spawn, its_output)
        except OSError as error:
            os.close(output)
            raise StoreUnavailable(f"no process can be started: {error.strerror}") from None
        finally:
            os.close(its_output)
        assert keeping.stdin is not None
        assert keeping.stdout is not None
        reports = await _reader(keeping.stdout)
        lines = await _reader(os.fdopen(output, "rb"))
        try:
            os.write(keeping.stdin.fileno(), command.task())
            async with asyncio.timeout(_START_SECONDS):
                first = json.loads(await reports.readline() or b"{}")
        except (OSError, TimeoutError, asyncio.CancelledError):
            keeping.stdin.close()
            raise
        if "started" not in first:
            keeping.stdin.close()
            raise PluginUntrusted(first.get("refused", "the keeper ended before the plugin began"))
        process = cls(keeping, first["started"], reports)
        process._grace = command.grace
        process._tasks = [
            asyncio.create_task(process._watch(), name="plugin process"),
            asyncio.create_task(_read_lines(lines, on_line, longest_line), name="plugin output"),
        ]
        return process

    async def ended(self) -> int:
        """Wait for the end; the exit code, or minus the signal's number."""
        return await asyncio.shield(self._ended)

    async def drained(self) -> None:
        """Wait until all of its output was handed on: after its end that is soon."""
        await asyncio.wait(self._tasks, timeout=_END_SECONDS)

    @property
    def running(self) -> bool:
        return not self._ended.done()

    async def stop(self) -> int:
        """Have it end: SIGTERM, after the grace SIGKILL to everything below it."""
        if not self.running:
            return await self.ended()
        assert self._keeping.stdin is not None
        try:
            os.write(self._keeping.stdin.fileno(), b"stop\n")
        except OSError:
            pass  # it has ended
        try:
            async with asyncio.timeout(self._grace + _END_SECONDS):
                return await self.ended()
        except TimeoutError:
            self.kill()
            return await self.ended()

    def kill(self) -> None:
        """End it at once, as the death of this process would."""
        assert self._keeping.stdin is not None
        self._keeping.stdin.close()

    async def _watch(self) -> None:
        code = -9
        while line := await self._reports.readline():
            code = json.loads(line).get("exited", code)
        await asyncio.to_thread(self._keeping.wait)
        if self._keeping.stdin is not None:
            self._keeping.stdin.close()
        if not self._ended.done():
            self._ended.set_result(code)


def _spawn(its_output: int) -> "subprocess.Popen[bytes]":
    """Blocking."""
    command = [sys.executable, "-I", "-S", keeper.__file__, str(its_output)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, pass_fds=(its_output,)
    )


async def _reader(file: IO[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader


async def _read_lines(output: asyncio.StreamReader, on_line: Callable[[str], None], longest: int) -> None:
    """Line by line, and no faster than a megabyte a second: a flood fills the pipe, and its
    writer waits."""
    rest = b""
    while chunk := await output.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            on_line(line[:longest].decode("utf-8", "replace"))
        rest = rest[:longest]
        if len(chunk) == _CHUNK:
            await asyncio.sleep(_CHUNK / _BYTES_PER_SECOND)
    if rest:
        on_line(rest.decode("utf-8", "replace"))
