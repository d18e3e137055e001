"""One plugin process, kept by a keeper: started, its output as lines, its end.

The keeper is started with `subprocess` in a thread: asyncio's own way forks through gRPC's fork
handlers, which takes tens of milliseconds on the event loop.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from store_plugin.errors import PluginUntrusted, StoreUnavailable
from store_plugin.lifecycle.supervision import keeper
from store_plugin.lifecycle.supervision.pipes import Pipe, write_all

LONGEST_LINE = 4096
"""Bytes of a line of output; of a longer one the rest is left out."""
_CHUNK = 32 * 1024
_BYTES_PER_SECOND = 1024 * 1024
LINES_AT_A_TIME = 200
"""More are taken after a while: handing one on costs, however short it is."""
_LINES_PER_SECOND = 10_000
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

    def __init__(self, keeping: "subprocess.Popen[bytes]", pid: int, reports: Pipe) -> None:
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
        keeping, output = await _spawned()
        assert keeping.stdin is not None
        assert keeping.stdout is not None
        reports, lines = Pipe(keeping.stdout), Pipe(output)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await write_all(keeping.stdin, command.task())
                first = json.loads(await reports.line() or b"{}")
        except BaseException as error:
            if isinstance(error, TimeoutError):  # whoever hears nothing does not hear its end either
                keeping.kill()
            _close(keeping, output)
            if isinstance(error, OSError):  # a TimeoutError is one
                why = error.strerror or "it does not answer"
                raise StoreUnavailable(f"its keeper does not start it: {why}") from None
            raise
        if "started" not in first:
            _close(keeping, output)
            await asyncio.to_thread(keeping.wait)
            raise PluginUntrusted(first.get("refused", "the keeper ended before the plugin began"))
        process = cls(keeping, first["started"], reports)
        process._grace = command.grace
        process._tasks = [
            asyncio.create_task(process._watch(), name="plugin process"),
            asyncio.create_task(_handed_on(lines, on_line, longest_line), name="plugin output"),
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
        if not self._keeping.stdin.closed:  # it was killed before
            with suppress(OSError):  # it has ended
                os.write(self._keeping.stdin.fileno(), b"stop\n")
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
        code: int | None = None
        try:
            while line := await self._reports.line():
                code = json.loads(line).get("exited", code)
        finally:
            self._reports.close()
        await asyncio.to_thread(self._keeping.wait)
        if code is None:  # somebody killed the keeper: the plugin died with it
            if self._keeping.returncode < 0:  # and its guard, which would have cleared up
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
            code = -signal.SIGKILL
        if self._keeping.stdin is not None:
            self._keeping.stdin.close()
        if not self._ended.done():
            self._ended.set_result(code)


async def _spawned() -> "tuple[subprocess.Popen[bytes], IO[bytes]]":
    """The keeper, and what the plugin writes. StoreUnavailable."""
    spawning = asyncio.create_task(asyncio.to_thread(_spawn), name="plugin keeper")
    try:
        return await asyncio.shield(spawning)
    except OSError as error:
        raise StoreUnavailable(f"no process can be started: {error.strerror}") from None
    except asyncio.CancelledError:
        spawning.add_done_callback(_abandoned)
        raise


def _spawn() -> "tuple[subprocess.Popen[bytes], IO[bytes]]":
    """The same, blocking. Descriptors are opened and closed in here:
    nobody who gives up waiting can close one while it is being passed on."""
    output, its_output = os.pipe2(os.O_CLOEXEC)
    reading = os.fdopen(output, "rb")
    command = [sys.executable, "-I", "-S", keeper.__file__, str(its_output)]
    try:
        keeping = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, pass_fds=(its_output,)
        )
    except OSError:
        reading.close()
        raise
    finally:
        os.close(its_output)
    return keeping, reading


def _abandoned(spawning: "asyncio.Task[tuple[subprocess.Popen[bytes], IO[bytes]]]") -> None:
    """Nobody waits for the keeper any more: without its pipes it ends."""
    if spawning.cancelled() or spawning.exception() is not None:
        return
    _close(*spawning.result())


def _close(keeping: "subprocess.Popen[bytes]", output: IO[bytes]) -> None:
    for pipe in (keeping.stdin, keeping.stdout, output):
        if pipe is not None:
            pipe.close()


async def _handed_on(output: Pipe, on_line: Callable[[str], None], longest: int) -> None:
    """All lines until the end of the pipe, which is closed then."""
    try:
        await _read_lines(output, on_line, longest)
    finally:
        output.close()


async def _read_lines(output: Pipe, on_line: Callable[[str], None], longest: int) -> None:
    """Line by line, and no faster than a megabyte or some thousand lines a second: a flood fills the
    pipe, and its writer waits."""
    rest = b""
    while chunk := await output.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        for at in range(0, len(lines), LINES_AT_A_TIME):
            some = lines[at : at + LINES_AT_A_TIME]
            for line in some:
                on_line(line[:longest].decode("utf-8", "replace"))
            await asyncio.sleep(len(some) / _LINES_PER_SECOND)
        rest = rest[:longest]
        await asyncio.sleep(len(chunk) / _BYTES_PER_SECOND)
    if rest:
        on_line(rest.decode("utf-8", "replace"))
