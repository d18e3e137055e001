"""Child processes of the demo: started, waited for within bounds, always ended."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
_TAIL_LINES = 15


class DemoFailed(Exception):
    """The demo cannot go on; `log` is the file that tells why."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


@contextmanager
def running(
    what: str, command: Sequence[str], environ: Mapping[str, str], log: Path, is_ready: Callable[[], bool]
) -> Iterator[None]:
    """A process that is ready, until the block ends.

    It gets a process group of its own: Ctrl-C is for us, and we end it in order.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with log.open("wb") as output, _undisturbed():
            process = subprocess.Popen(  # noqa: S603 - our own command line
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                env=environ,
                start_new_session=True,
            )
        _await(what, process, is_ready, log)
        yield
    finally:
        if process:
            _stop(what, process)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that it cleans up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled_by(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])


def free_ports(number: int) -> list[int]:
    """Loopback ports in a row that nobody uses at the moment."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        ports = list(range(first, first + number))
        if all(map(_is_free, ports)):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True


def _await(what: str, process: "subprocess.Popen[bytes]", is_ready: Callable[[], bool], log: Path) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while not is_ready():
        if process.poll() is not None:
            raise DemoFailed(f"{what} ended at once, with code {process.returncode}", log)
        if time.monotonic() > give_up:
            raise DemoFailed(f"{what} was not ready within {READY_SECONDS:g} s", log)
        time.sleep(0.02)


def _stop(what: str, process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, some time, SIGKILL. A second Ctrl-C must not leave it behind."""
    with _undisturbed():
        try:
            process.terminate()
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            click.echo(f"{what} did not stop within {STOP_SECONDS:g} s and is killed", err=True)
            process.kill()
            process.wait()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that would end us come after the block: in the middle of it, a process would be
    left behind that nobody knows of."""
    came: list[int] = []
    with _handled_by(
        lambda number, _frame: came.append(number), signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    ):
        yield
    for number in came:
        signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
