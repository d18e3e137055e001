"""Process 1 of a container: signals go through it, orphans end in it, its exit code is the
command's. A subreaper stands in for process 1: orphans come to it as well."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import end
from tests.support.waiting import eventually

_AS_FIRST = """\
import ctypes, os, signal, sys, time
from store_plugin.cli._init import keep_a_child
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
keep_a_child()
"""
_WAITS = (
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print(os.getpid(), flush=True); time.sleep(60)"
)
_LEAVES_AN_ORPHAN = "os.fork() or (os.fork() or (time.sleep(0.05), os._exit(0)), os._exit(0)); os.wait(); "


@contextmanager
def as_first(program: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", _AS_FIRST + program]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        end(process)
        assert process.stdout
        process.stdout.close()


def child_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout
    return int(process.stdout.readline())


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


ENDS = {"zero": ("sys.exit(0)", 0), "a code": ("sys.exit(3)", 3), "killed": ("os.kill(os.getpid(), 9)", 137)}


@pytest.mark.parametrize(("program", "code"), ENDS.values(), ids=ENDS)
def test_it_ends_as_the_command_does(program: str, code: int) -> None:
    with as_first(program) as process:
        assert process.wait(60) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name)
def test_a_signal_reaches_the_command(number: signal.Signals) -> None:
    with as_first(_WAITS.replace("SIGTERM", number.name)) as process:
        child_of(process)
        process.send_signal(number)
        assert process.wait(60) == 7


def test_the_command_sees_no_signal_blocked() -> None:
    program = "print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])), flush=True)"
    with as_first(program) as process:
        assert child_of(process) == 0


def test_an_orphan_is_reaped_and_the_command_lives_on() -> None:
    with as_first(_LEAVES_AN_ORPHAN + _WAITS) as process:
        command = child_of(process)
        eventually(lambda: children(process.pid) == [command])
        # The command waits for its own children itself: this one it did not.
        assert process.poll() is None
