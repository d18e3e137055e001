"""Runs an exec plugin once, as client-go does, and takes its answer.

Other than client-go: the plugin sees no more of our environment than it is allowed to, has a
time to answer in, and may print only so much. What it prints on standard output is in no error
and no log. Blocking: for a thread.
"""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from store_plugin.access.exec_credential import EXEC_INFO, ExecInfo, ExecStatus, info_text, parse_status
from store_plugin.access.execution.collecting import Collected, GivingUp, collected
from store_plugin.errors import ConfigInvalid, LoginRefused, StorePluginError, StoreUnavailable

TIMEOUT = 30.0
"""Seconds that a plugin has for its answer."""
MOMENTARY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})
"""What the system is short of for a while; and an executable that is just being written."""
RETRY_SECONDS = 1.0
"""When it may be otherwise."""
_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Executable:
    """What is executed for a plugin."""

    path: Path
    descriptors: tuple[int, ...] = ()
    """Open files that the plugin is started with, where `path` needs them (/proc/self/fd/N)."""


Verify = Callable[[str, Path], AbstractContextManager[Executable]]
"""Asked before each run with the provider's name and the executable that was found: gives what to
execute for it, until the plugin has ended, or raises PluginUntrusted."""
OnOutput = Callable[[str, str], None]
"""Takes lines that the plugin of a provider wrote on standard error; called on its thread."""


@dataclass(frozen=True, slots=True)
class ExecCall:
    """One run: what, with what, for which cluster."""

    provider: str
    """Whose plugin it is, for messages."""
    command: str
    arguments: tuple[str, ...] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    """All that the plugin sees, besides the request itself."""
    info: ExecInfo
    install_hint: str = ""

    def __str__(self) -> str:
        return f"exec plugin of provider {self.provider!r}"


@contextmanager
def unverified(_provider: str, executable: Path) -> Iterator[Executable]:
    """Runs what there is."""
    yield Executable(executable)


@dataclass(frozen=True, slots=True)
class Runner:
    """How plugins are run. `timeout` in seconds."""

    verify: Verify = unverified
    timeout: float = TIMEOUT
    on_output: OnOutput | None = None
    giving_up: GivingUp | None = None
    """Ends runs under way, where somebody may want to."""

    def run(self, call: ExecCall) -> ExecStatus:
        """The answer of the plugin, which has not expired.

        ConfigInvalid: it is missing, cannot be executed, or its answer is none; LoginRefused: it
        ended with an error, or gave what has expired; StoreUnavailable: it took too long, was
        killed, or could not be run just now. And what `verify` raises.
        """
        if self.giving_up is not None and self.giving_up.told:
            raise StoreUnavailable(f"the {call} was not run: the access config was closed")
        executable = _found(call)
        with self.verify(call.provider, executable) as verified:
            output = self._output(call, verified)
        if self.on_output is not None:
            for line in output.error_lines[-_MOST_LINES:]:
                self.on_output(call.provider, line)
        _check_end(call, output, self.timeout)
        return _answer(call, output.content)

    def _output(self, call: ExecCall, executable: Executable) -> Collected:
        interactive = call.info.interactive
        try:
            process = subprocess.Popen(
                [call.command, *call.arguments],
                executable=executable.path,
                env={**call.environment, EXEC_INFO: info_text(call.info)},
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if interactive else subprocess.PIPE,
                pass_fds=executable.descriptors,
                # A session of its own, so that its children can be ended with it; a person's
                # terminal belongs to ours.
                start_new_session=not interactive,
            )
        except OSError as error:
            raise _not_started(call, error) from None
        except ValueError:  # its text would show what it is about
            raise ConfigInvalid(f"the {call} is given what no argument or variable can hold") from None
        # Not `with process`, which would wait for one that is not ours to end, however long it goes on.
        try:
            return collected(process, self.timeout, self.giving_up)
        except OSError as error:
            raise _later(call, error) from None


def _found(call: ExecCall) -> Path:
    """The executable, as its own PATH names it. ConfigInvalid with the install hint."""
    path = call.environment.get("PATH", os.defpath)
    if found := shutil.which(call.command, path=path):
        return Path(found)
    there = os.sep in call.command and Path(call.command).exists()
    problem = "is not executable" if there else "is not there"
    where = "" if os.sep in call.command else f" on PATH ({path})"
    raise _with_hint(call, f"the {call}, {call.command}, {problem}{where}")


def _not_started(call: ExecCall, error: OSError) -> StorePluginError:
    if error.errno in MOMENTARY:
        return _later(call, error)
    return _with_hint(call, f"the {call}, {call.command}, cannot be executed: {error.strerror}")


def _later(call: ExecCall, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"the {call} cannot be run now: {error.strerror}", retry_after=RETRY_SECONDS)


def _with_hint(call: ExecCall, problem: str) -> ConfigInvalid:
    """In one line, with nothing in it that a terminal obeys, as client-go has it too."""
    hint = "".join(c if c.isprintable() else " " for c in call.install_hint)
    return ConfigInvalid(f"{problem}; {' '.join(hint.split())}" if hint.strip() else problem)


def _check_end(call: ExecCall, output: Collected, timeout: float) -> None:
    if output.too_long:
        raise ConfigInvalid(f"the {call} prints more than a credential can be; it was ended")
    if output.given_up:
        raise StoreUnavailable(f"the {call} was ended: the access config was closed")
    if output.timed_out:
        raise StoreUnavailable(
            f"the {call} gave no answer within {timeout:g} s; it was ended", retry_after=RETRY_SECONDS
        )
    if output.code < 0:
        raise StoreUnavailable(f"the {call} was ended by {_signal(-output.code)}", retry_after=RETRY_SECONDS)
    if output.code:
        raise LoginRefused(f"the {call} failed with exit code {output.code}; its standard error says why")


def _signal(number: int) -> str:
    """Real-time signals have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _answer(call: ExecCall, content: bytes) -> ExecStatus:
    try:
        status = parse_status(content, call.info.api_version)
    except ConfigInvalid as error:
        raise ConfigInvalid(f"the {call} does not answer as one: {error.message}") from None
    if status.expires is not None and status.expires <= datetime.now(UTC):
        raise LoginRefused(f"the {call} gave a credential that had expired at {status.expires.isoformat()}")
    return status
