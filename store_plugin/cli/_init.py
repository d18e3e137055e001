"""Process 1 of a container: starts the command as its child, and looks after what is left.

In a container without an init the kernel gives orphans to process 1: what `kubectl exec` left
behind, or a plugin whose keepers were killed. A sidecar that reaped them itself would take the
ends of its own children away from whoever waits for them. So process 1 only hands signals on,
reaps whoever ends, and ends as the command does. It forks before anything is imported: both
processes share the interpreter's memory, and no image needs another init.
"""

import fcntl
import os
import signal
import sys
import termios
from contextlib import suppress

_NOT_FOR_IT = {signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU, signal.SIGKILL, signal.SIGSTOP}
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT}
_BY_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a program."""


def keep_a_child() -> None:
    """Fork: the child returns; the parent exits when the child has, with its code."""
    heard = signal.valid_signals() - _FAULTS
    before = signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    child = os.fork()
    if child == 0:
        _lead_a_group()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    os._exit(_until_ended(child, heard))


def _lead_a_group() -> None:
    """Have Ctrl-C reach the command once: from the terminal, and not from process 1 too."""
    os.setpgid(0, 0)
    with suppress(OSError, termios.error):
        # SIGTTOU, which a background process gets for this, is blocked.
        fcntl.ioctl(0, termios.TIOCSPGRP, os.getpid().to_bytes(4, sys.byteorder))


def _until_ended(child: int, heard: set[signal.Signals]) -> int:
    """Hand on signals and reap until the command has ended; its exit code."""
    while True:
        number = signal.sigwait(heard)
        if number == signal.SIGCHLD:
            if (code := _reap(child)) is not None:
                return code
        elif number not in _NOT_FOR_IT:
            with suppress(ProcessLookupError):
                os.kill(child, number)


def _reap(child: int) -> int | None:
    """Reap all who have ended; the exit code of the command, if it is among them."""
    code = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == child:
                status = os.waitstatus_to_exitcode(ended[1])
                code = status if status >= 0 else _BY_SIGNAL - status
    return code
