"""What a process prints until it ends: so much, for so long, and nothing of it stays behind.

Written for credential plugins: an answer is small, and whoever prints megabytes, hangs, or leaves
children behind that hold the pipe open, must cost no more than one that behaves.
"""

import os
import selectors
import signal
import subprocess
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

LONGEST_ANSWER = 1024 * 1024
"""Bytes of standard output: a credential with two certificate chains is a hundredth of it."""
_LONGEST_ERROR = 16 * 1024
"""Bytes of standard error that are kept, the last ones."""
_LONGEST_LINE = 1000
_LONGEST_END = 5.0
"""Seconds that a process may take to end once it was killed."""
_CHUNK = 64 * 1024


@dataclass(slots=True)
class Collected:
    """What a process left."""

    content: bytes = field(default=b"", repr=False)
    error: bytes = field(default=b"", repr=False)
    code: int = 0
    """Its exit code, or minus the number of the signal that ended it."""
    too_long: bool = False
    timed_out: bool = False
    given_up: bool = False
    """It was ended since nobody waits for it any more."""

    @property
    def error_lines(self) -> list[str]:
        """The last lines on standard error, with nothing in them that a terminal obeys."""
        lines = self.error.decode("utf-8", "replace").splitlines()
        return [_plain(line[:_LONGEST_LINE]) for line in lines if line.strip()]


def _plain(line: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in line)


class GivingUp:
    """Tells all who wait for processes that nobody waits for what they print."""

    def __init__(self) -> None:
        self.told = False
        self._event = os.eventfd(0, os.EFD_CLOEXEC)
        self._closing = weakref.finalize(self, os.close, self._event)

    def fileno(self) -> int:
        """Readable once it was told."""
        return self._event

    def tell(self) -> None:
        self.told = True
        os.eventfd_write(self._event, 1)


def collected(
    process: "subprocess.Popen[bytes]", timeout: float, giving_up: GivingUp | None = None
) -> Collected:
    """Wait for the end of a process of ours, for at most `timeout` seconds or until everybody
    gives up; whatever is left of it and of its session is killed, its pipes are closed. Blocking;
    OSError where there is no room to watch it."""
    found = Collected()
    session = _session_of(process)
    try:
        with selectors.DefaultSelector() as selector:
            if giving_up is not None:
                selector.register(giving_up, selectors.EVENT_READ)
            _read(process, selector, found, time.monotonic() + timeout)
    finally:
        _end(process, session)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    found.code = -signal.SIGKILL if process.returncode is None else process.returncode
    return found


def _read(
    process: "subprocess.Popen[bytes]", selector: selectors.BaseSelector, found: Collected, deadline: float
) -> None:
    """Until the process has ended, which its children may outlive, or something is too much."""
    ended = os.pidfd_open(process.pid)
    try:
        selector.register(ended, selectors.EVENT_READ)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
        while not found.too_long:
            ready = [key.fileobj for key, _ in selector.select(max(0.0, deadline - time.monotonic()))]
            # One that goes on printing is always ready.
            found.timed_out = not ready or (ended not in ready and time.monotonic() >= deadline)
            found.given_up = any(isinstance(one, GivingUp) for one in ready)
            if found.timed_out or found.given_up:
                return
            for pipe in (process.stdout, process.stderr):
                if pipe in ready and not _take(process, pipe, found):
                    selector.unregister(pipe)
            if ended in ready:
                _take_rest(process, found)
                return
    finally:
        os.close(ended)


def _take(process: "subprocess.Popen[bytes]", pipe: IO[bytes] | None, found: Collected) -> bool:
    """One piece of what a pipe holds; False at its end."""
    assert pipe is not None
    try:
        chunk = os.read(pipe.fileno(), _CHUNK)
    except BlockingIOError:
        return True
    if pipe is process.stdout:
        found.content += chunk
        found.too_long = len(found.content) > LONGEST_ANSWER
    else:
        found.error = (found.error + chunk)[-_LONGEST_ERROR:]
    return bool(chunk)


def _take_rest(process: "subprocess.Popen[bytes]", found: Collected) -> None:
    """What it printed before it ended; no more than a pipe holds, even if a child goes on."""
    for pipe in (process.stdout, process.stderr):
        for _ in range(LONGEST_ANSWER // _CHUNK):
            if pipe is None or found.too_long:
                break
            before = len(found.content), found.error
            if not _take(process, pipe, found) or before == (len(found.content), found.error):
                break


def _session_of(process: "subprocess.Popen[bytes]") -> int | None:
    """The session that it leads; None where it belongs to ours. It is a leader from its start on:
    Popen returns after the exec."""
    try:
        return process.pid if os.getsid(process.pid) == process.pid else None
    except ProcessLookupError:
        return None


def _end(process: "subprocess.Popen[bytes]", session: int | None) -> None:
    """Kill what is left, before the process is waited for: until then its number is its own."""
    try:
        if session is not None:
            os.killpg(session, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):  # gone, or somebody else by now
        pass
    with suppress(subprocess.TimeoutExpired):  # of another user by now: not ours to kill
        process.wait(_LONGEST_END)
