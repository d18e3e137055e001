"""Programs of tests and examples as processes, ended by pid."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

STOPPED_WITHIN = 30.0


def end(process: "subprocess.Popen[Any]", *, gently: bool = True) -> None:
    """SIGTERM, and SIGKILL where that is not enough, or not wanted."""
    process.terminate() if gently else process.kill()
    reap(process)


def reap(process: "subprocess.Popen[Any]") -> None:
    """Wait for the end of a process that was told to end."""
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def alive(pid: int) -> bool:
    """Whether a process runs. One that has ended is listed until somebody asks how, which may be never."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def stop(pid: int) -> None:
    """SIGSTOP, in force: kill(2) returns while threads that are on a processor still run."""
    os.kill(pid, signal.SIGSTOP)
    give_up = time.monotonic() + STOPPED_WITHIN
    while not all(_is_stopped(thread) for thread in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > give_up:
            raise AssertionError(f"process {pid} does not stop")
        time.sleep(0.001)


def _is_stopped(thread: Path) -> bool:
    try:
        state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True  # it ended meanwhile
    return state in "TZX"


@contextmanager
def running_program(
    command: Sequence[str], log_file: Path, environ: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that logs into a file, asked to end at the end; None: with our environment."""
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environ)
    try:
        yield process
    finally:
        end(process)


@asynccontextmanager
async def program_beside(
    command: Sequence[str], log_file: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """The same for a test whose own event loop it talks to until its end."""
    program = running_program(command, log_file, environ)
    process = program.__enter__()
    try:
        yield process
    finally:
        await asyncio.to_thread(program.__exit__, None, None, None)
