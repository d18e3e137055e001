"""Write a credential plugin for kubectl, client-go and `store_plugin.access` in ten lines.

    from store_plugin.access.credential_plugin import ExecInfo, ExecStatus, run

    def provide(info: ExecInfo) -> ExecStatus:
        return ExecStatus(token=token_for(info.cluster.server))

    if __name__ == "__main__":
        run(provide)

`run` does what every such plugin has to get right: it reads the request, answers in the version
it was asked in, bounds the time, keeps what the provider and its programs print out of the answer,
and tells of a failure in one line that holds nothing of a credential. Only the standard library is
imported.
"""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import NoReturn

from store_plugin.access.exec_credential import (
    API_VERSIONS,
    EXEC_INFO,
    ExecCluster,
    ExecInfo,
    ExecStatus,
    parse_info,
    parse_status,
    status_text,
)
from store_plugin.errors import ConfigInvalid, InvalidRequest, LoginRefused, StorePluginError

__all__ = ["DEFAULT_TIMEOUT", "ExecCluster", "ExecInfo", "ExecStatus", "Provider", "run"]

DEFAULT_TIMEOUT = 30.0
"""Seconds; kubectl itself waits without bound."""
_REFUSED = 1
_STANDARD_ERROR = 2

Provider = Callable[[ExecInfo], ExecStatus]
"""Makes the credential. What it raises of `store_plugin.errors` is told with its message, of any
other exception only the class: the message may hold anything."""


def run(
    provider: Provider,
    *,
    name: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    environ: Mapping[str, str] = os.environ,
) -> NoReturn:
    """Answer one request and end the process: with 0 and the answer on standard output, or with
    1 and one line on standard error, which begins with `name` (None: the program's).

    Without KUBERNETES_EXEC_INFO, as when a person tries it out, the answer is of the newest
    version, and the provider is told of no cluster. After `timeout` seconds the process ends,
    whatever the provider does.
    """
    told = name or PurePath(sys.argv[0]).name
    try:
        answers = _set_aside()
        answer = _answered(provider, environ.get(EXEC_INFO, ""), timeout)
    except StorePluginError as error:
        fail(told, error)
    _end(answers, answer + "\n", 0)


def fail(name: str, error: StorePluginError) -> NoReturn:
    """End the process as `run` does where there is no answer."""
    _end(_standard_error(), f"{name}: {_one_line(error)}\n", _REFUSED)


def _set_aside() -> int:
    """Standard output, for the answer alone: what the provider's own processes and libraries
    write there goes to standard error from now on."""
    complaints = _standard_error()
    if sys.stdout is None:
        raise InvalidRequest("standard output, where the answer goes, is closed")
    output = sys.stdout.fileno()
    answers = os.dup(output)
    os.dup2(complaints, output)
    return answers


def _standard_error() -> int:
    """Its descriptor. Where it was closed, one for nobody takes its place, so that no file that is
    opened later does, the answer's least of all."""
    if sys.stderr is None:
        nobody = os.open(os.devnull, os.O_RDWR)
        os.dup2(nobody, _STANDARD_ERROR)
        sys.stderr = os.fdopen(_STANDARD_ERROR, "w", closefd=False)
    return sys.stderr.fileno()


def _answered(provider: Provider, request: str, timeout: float) -> str:
    info = parse_info(request) if request else ExecInfo(API_VERSIONS[0])
    status = _provided(provider, info, timeout)
    try:
        return _written(status, info.api_version)
    except StorePluginError:
        raise
    except Exception as error:  # told by its class, as what the provider itself raises
        problem = type(error).__name__
    told = "token is text, certificate and key are PEM, expires is a time with its zone"
    raise ConfigInvalid(f"the provider's ExecStatus cannot be written ({problem}): {told}")


def _written(status: ExecStatus, version: str) -> str:
    """The answer, once the reader of such answers takes it."""
    if status.expires is not None and status.expires <= datetime.now(UTC):
        raise LoginRefused(f"the credential expired at {status.expires:%Y-%m-%dT%H:%M:%S%z}: renew it")
    answer = status_text(version, status)
    parse_status(answer, version)
    return answer


@dataclass(slots=True)
class _Outcome:
    status: ExecStatus | None = None
    error: StorePluginError | None = None


def _provided(provider: Provider, info: ExecInfo, timeout: float) -> ExecStatus:
    """On a thread that nobody waits for longer than that. What the provider prints goes to
    standard error: standard output is the answer's."""
    outcome = _Outcome()
    thread = threading.Thread(target=_provide, args=(provider, info, outcome), daemon=True)
    with redirect_stdout(sys.stderr):
        thread.start()
        thread.join(timeout)
    if outcome.error is not None:
        raise outcome.error
    if outcome.status is None:
        raise ConfigInvalid(f"no credential within {timeout:g} s")
    return outcome.status


def _provide(provider: Provider, info: ExecInfo, outcome: _Outcome) -> None:
    try:
        status = provider(info)
        if not isinstance(status, ExecStatus):
            raise ConfigInvalid("the provider returned no ExecStatus")
        outcome.status = status
    except StorePluginError as error:
        outcome.error = error
    except BaseException as error:  # told by its class: what it says may hold a credential
        outcome.error = ConfigInvalid(f"the provider failed with {type(error).__name__}")


def _one_line(error: StorePluginError) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in error.message).split())
    return f"{text} ({error.reason or error.code.name})"


def _end(descriptor: int, text: str, code: int) -> NoReturn:
    """At once: a provider's threads, or a channel's, would hold the process up."""
    sys.stderr.flush()
    try:
        left = text.encode()
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        code = _REFUSED  # nobody reads
    os._exit(code)
