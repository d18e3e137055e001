"""The small process between the sidecar and one plugin: it starts it, and never outlives its end.

A program of its own, run by its path with nothing but the standard library. It hears on standard
input what to do, says on standard output what happened, and takes the end of standard input for
the death of the sidecar: then everything below it is killed at once. It is a subreaper, so no
child of the plugin escapes to somebody else.

It is killed itself at times. Therefore it is two processes: the guard, which only waits for the end of
the keeper below it and kills what is left then, and the keeper, which hears of the guard's end as it
does of the sidecar's. Each leads a process group, so that no signal to a group reaches two of the three.

What is executed is a sealed memory file whose digest was checked after it was sealed: nobody can
change it between the check and the start, whatever happens to the file on disk.
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import resource
import select
import signal
import stat
import sys
import time
from typing import IO, Any

CONTROL, REPORT = 0, 1
_CHUNK = 1024 * 1024
_MOST_BYTES = 512 * 1024 * 1024
"""As `store_plugin.trust.MAX_EXECUTABLE_BYTES`; nothing of ours is imported here."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_F_ADD_SEALS, _ALL_SEALS = 1033, 0x1 | 0x2 | 0x4 | 0x8
_MFD_EXEC = 0x10
_NO_MEMORY_RUNS = (
    "what was checked in memory may not be executed on this node: set the sysctl vm.memfd_noexec to 1 or 0"
)
_NOT_STARTED = 126
_HEARD_OTHERWISE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
"""Signals that the keeper may hear or ignore: by itself, as every Python, or since it was started, as
what a shell starts in the background ignores some."""
_LIMITS = {
    "memory_bytes": resource.RLIMIT_AS,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "core_bytes": resource.RLIMIT_CORE,
}


class Refused(Exception):
    """The plugin is not started; the text says why."""


def sealed(path: str, digest: str) -> int:
    """A descriptor of a memory file that nobody can change, with the content of `path`. Refused
    where that is not what `digest` says."""
    memory = _memory()
    try:
        with _opened(path) as source:
            while chunk := source.read(_CHUNK):
                if os.write(memory, chunk) != len(chunk):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if os.fstat(memory).st_size > _MOST_BYTES:
                    raise Refused(f"the executable has more than {_MOST_BYTES} bytes")
    except OSError as error:
        raise Refused(f"the executable cannot be read: {error.strerror}") from None
    fcntl.fcntl(memory, _F_ADD_SEALS, _ALL_SEALS)
    found, at = hashlib.sha256(), 0
    while chunk := os.pread(memory, _CHUNK, at):
        found.update(chunk)
        at += len(chunk)
    if found.hexdigest() != digest:
        raise Refused(f"the executable is not the one that was registered: its digest is {found.hexdigest()}")
    return memory


def _memory() -> int:
    """An empty memory file that may be executed, also where the kernel makes none such unless it is
    asked to (vm.memfd_noexec). Refused."""
    try:
        return os.memfd_create("store-plugin", os.MFD_ALLOW_SEALING | _MFD_EXEC)
    except OSError as error:
        if error.errno == errno.EINVAL:  # Linux before 6.3, where each may be
            return os.memfd_create("store-plugin", os.MFD_ALLOW_SEALING)
        if error.errno == errno.EACCES:
            raise Refused(_NO_MEMORY_RUNS) from None
        raise Refused(f"there is no memory to check the executable in: {error.strerror}") from None


def _opened(path: str) -> IO[bytes]:
    """A file, and nothing that would keep its reader waiting. Refused, OSError."""
    source = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        source.close()
        raise Refused("the executable is no file")
    return source


def start(task: dict[str, Any], output: int) -> int:
    """Start the plugin, in a session of its own; returns its pid. Refused."""
    memory = sealed(task["executable"], task["digest"])
    keeper = os.getpid()
    began, told = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(memory, task, output, told, keeper)
    os.close(memory)
    os.close(told)
    with os.fdopen(began, "rb") as answer:
        problem = answer.read().decode("utf-8", "replace")
    if problem:
        os.waitpid(pid, 0)
        raise Refused(f"the executable cannot be run: {problem}")
    return pid


def _become(memory: int, task: dict[str, Any], output: int, told: int, keeper: int) -> None:
    """In the child: give up everything that the plugin shall not have, and become it."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # The memory file stays open: an interpreter reads the script from it.
        os.set_inheritable(output, False)
        for name, limit in _LIMITS.items():
            if (value := task["limits"].get(name)) is not None:
                resource.setrlimit(limit, (value, value))
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # it died before it could be told of
            os._exit(_NOT_STARTED)
        for number in _HEARD_OTHERWISE:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir("/")
        os.umask(0o077)
        os.execve(memory, task["arguments"], task["environment"])
    except Exception as error:
        os.write(told, str(getattr(error, "strerror", None) or type(error).__name__).encode())
    finally:
        os._exit(_NOT_STARTED)


class Keeper:
    """Watches one plugin until nothing of it is left."""

    def __init__(self, pid: int, grace: float, wakeup: int, guard: int) -> None:
        self._pid = pid
        self._grace = grace
        self._wakeup = wakeup
        self._guard = guard
        """Is at its end when the guard has ended."""
        self._status: int | None = None
        self._kill_at: float | None = None

    def run(self) -> int:
        """Until the plugin has ended, by itself or by what comes in; returns its wait status."""
        watched = [CONTROL, self._guard, self._wakeup]
        while True:
            self._reap()
            if self._status is not None:
                return self._status
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_all()
                continue
            timeout = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
            readable = select.select(watched, [], [], timeout)[0]
            if self._wakeup in readable:
                os.read(self._wakeup, 4096)
            if CONTROL in readable:
                if b"stop" in (heard := os.read(CONTROL, 4096)):
                    self._end()
                if not heard:
                    self._kill_all()
                    watched.remove(CONTROL)
            if self._guard in readable:
                self._kill_all()
                watched.remove(self._guard)

    def _end(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace
            _kill(-self._pid, signal.SIGTERM)

    def _kill_all(self) -> None:
        _kill(-self._pid, signal.SIGKILL)
        for pid in descendants():
            _kill(pid, signal.SIGKILL)
        time.sleep(0.005)

    def _reap(self) -> None:
        self._status = reaped().get(self._pid, self._status)


def clear() -> None:
    """Kill and reap whatever the plugin left behind."""
    give_up = time.monotonic() + 10
    while (left := descendants()) and time.monotonic() < give_up:
        for pid in left:
            _kill(pid, signal.SIGKILL)
        reaped()
        time.sleep(0.005)


def reaped() -> dict[int, int]:
    """Who has ended since the last time, with its wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def descendants() -> list[int]:
    """All processes below this one. Those whose parent died are children of this one now."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:
                    fields = stat.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z":
                parents[int(entry)] = int(fields[1])
    found, below = [], {os.getpid()}
    while below:
        below = {pid for pid, parent in parents.items() if parent in below}
        found += sorted(below)
    return found


def main() -> None:
    """Read one line of JSON, start what it says, and keep it. The argument is the descriptor
    that the plugin writes its output to."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the sidecar decides
    _catch_orphans()
    guard = guarded()
    _catch_orphans()  # a child does not inherit that
    wakeup, notify = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(notify, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        task = json.loads(_first_line())
        pid = start(task, int(sys.argv[1]))
    except Refused as refusal:
        report(refused=str(refusal))
        return
    report(started=pid)
    os.close(int(sys.argv[1]))  # its end is the plugin's end
    status = Keeper(pid, task["grace"], wakeup, guard).run()
    clear()
    report(exited=os.waitstatus_to_exitcode(status))


def guarded() -> int:
    """Fork: the child goes on, with a descriptor that is at its end when the parent has ended. The
    parent stays as the guard: it kills what the child leaves behind, and leaves too."""
    at_its_end, held = os.pipe2(os.O_CLOEXEC)
    keeper = os.fork()
    if keeper == 0:
        os.close(held)
        return at_its_end
    os.close(CONTROL)
    os.close(int(sys.argv[1]))
    os.waitpid(keeper, 0)
    clear()
    os._exit(0)


def _catch_orphans() -> None:
    """Be the one that they come to, and lead a group of its own."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    os.setpgid(0, 0)


def report(**what: object) -> None:
    """Say something, if there is still anybody who listens."""
    try:
        os.write(REPORT, (json.dumps(what) + "\n").encode())
    except OSError:
        pass


def _first_line() -> bytes:
    """Byte by byte: what follows is for the loop to hear."""
    line = bytearray()
    while not line.endswith(b"\n"):
        if not (byte := os.read(CONTROL, 1)):
            sys.exit(1)
        line += byte
    return bytes(line)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
