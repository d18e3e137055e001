"""How long a call may take, when it is sent again, and what its failure is called.

A call is sent again if gRPC itself says that it never left: its channel could not
connect, so the call was never put on a connection. gRPC reports that as UNAVAILABLE
with no metadata from any server and with one of the texts in `_NEVER_SENT`. Everything
else that ends in UNAVAILABLE may have been carried out and is not sent again. Should a
later gRPC word it differently, calls fail at once instead of waiting for a late server:
the mistake is on the safe side, and the tests of the client show it.

A server that begins to drain drops the calls that reach it in that moment, before anybody
has looked at them. gRPC reports that as CANCELLED with nothing but this word. The same word
may come at the end of a drain's grace, so only a call that may be carried out twice is sent
again, and twice at most: reads, merges and deletions that name no version.
"""

import math
import time
from collections.abc import Iterable
from typing import Protocol, cast

import grpc

from store_plugin import wire
from store_plugin.client._connection import LONGEST_CALL, Connection
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import (
    Cancelled,
    Code,
    ConnectionLost,
    DeadlineExceeded,
    InvalidRequest,
    NotReachable,
    RemoteError,
    StorePluginError,
)

_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed")
_DROPPED = "CANCELLED"
"""What gRPC says when the server reset the call and gave no reason."""
_REPEATS = 2
_OWN_DEADLINE = "Deadline Exceeded"
"""What gRPC says when the deadline passed on our side."""
_LONGEST_WAIT = 0.5
"""Seconds to wait for a connection before the TLS files are looked at again."""
_LEAST_WAIT = 0.02
"""Seconds below which another try to connect is not worth it."""


class _Ended(Protocol):
    """How both of gRPC's APIs tell of a failed call."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...


class Attempt:
    """One call's time, from now on: `timeout` seconds for all of it (None: as the
    connection says), of which the connection's `connect_timeout` to reach the server.
    `repeatable`: carrying it out twice does the same as once.

    InvalidRequest where `timeout` is nan. One that is spent, 0 or less, is what is left of
    a caller's own time: DeadlineExceeded, and nothing is sent.
    """

    def __init__(self, connection: Connection, timeout: float | None, *, repeatable: bool) -> None:
        self._endpoint = connection.endpoint
        seconds = connection.timeout if timeout is None else timeout
        if math.isnan(seconds):
            raise InvalidRequest("the timeout is not a number: give seconds")
        self._timeout = min(seconds, LONGEST_CALL)
        self._connect_timeout = min(self._timeout, connection.connect_timeout)
        self._started = time.monotonic()
        self._repeats = _REPEATS if repeatable else 0
        self._never_sent: str | None = None
        """What kept the call from being sent, so far."""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline. Where there are none left: NotReachable if the call was
        never sent, else DeadlineExceeded."""
        left = self._started + self._timeout - time.monotonic()
        if left > 0:
            return left
        raise self._no_answer() if self._never_sent is None else self._not_reachable(self._never_sent)

    def wait_after(self, error: grpc.RpcError) -> float:
        """Seconds to wait for the channel to connect before the call is sent again, where
        that is safe and there is time; else the typed error is raised."""
        ended = cast(_Ended, error)
        if self._repeats and _dropped(ended):
            self._repeats -= 1
            self._never_sent = None
            return min(self.remaining, _LONGEST_WAIT)
        if not _never_sent(ended):
            raise self._typed(ended) from error
        self._never_sent = ended.details() or ""
        left = self._started + self._connect_timeout - time.monotonic()
        if left <= _LEAST_WAIT:
            raise self._not_reachable(self._never_sent) from error
        return min(left - _LEAST_WAIT / 2, _LONGEST_WAIT)

    def _typed(self, ended: _Ended) -> StorePluginError:
        code, message = Code(ended.code().value[0]), ended.details() or ""
        error = wire.error_from(code, message, tuple(ended.trailing_metadata() or ()))
        if isinstance(error, RemoteError) and code is Code.UNAVAILABLE:
            return ConnectionLost(
                f"the connection to {self._endpoint} ended during the call, which may or may not have "
                f"been carried out: {message}"
            )
        if isinstance(error, DeadlineExceeded) and message == _OWN_DEADLINE:
            return self._no_answer()
        return error

    def _no_answer(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"no answer from {self._endpoint} within {self._timeout:g} s")

    def _not_reachable(self, why: str) -> NotReachable:
        return NotReachable(
            f"nobody answers at {self._endpoint} ({_cause(why, self._endpoint)}); "
            f"waited {self._connect_timeout:g} s. {_advice(why, self._endpoint)}",
            retry_after=1.0,
        )


def closed_during_call() -> Cancelled:
    """The error of a call whose client was closed meanwhile."""
    return Cancelled("the client was closed during the call")


def _never_sent(ended: _Ended) -> bool:
    details = ended.details() or ""
    return (
        ended.code() is grpc.StatusCode.UNAVAILABLE
        and not tuple(ended.trailing_metadata() or ())
        and details.startswith(_NEVER_SENT)
    )


def _dropped(ended: _Ended) -> bool:
    silent = not tuple(ended.trailing_metadata() or ())
    return silent and ended.code() is grpc.StatusCode.CANCELLED and ended.details() == _DROPPED


def _cause(details: str, endpoint: Endpoint) -> str:
    """The last part of gRPC's chain of causes, which is the one a person can act on; of a host the
    address too, which is news."""
    cause = details.rsplit("last error: ", 1)[-1].removeprefix("UNKNOWN: ")
    return cause.removeprefix(f"{endpoint.target}: connect: ")


def _advice(details: str, endpoint: Endpoint) -> str:
    match endpoint.transport:
        case Transport.TCP:
            return "Is the sidecar running there, and do its certificate and ours fit?"
        case Transport.PATH if "Permission denied" in details:
            return "This user may not open the socket: see --socket-mode and --socket-group of the sidecar"
        case Transport.PATH:
            return "Does a sidecar --listen there (store-plugin serve), and is its volume mounted here?"
        case Transport.ABSTRACT:
            return "Does a sidecar --listen there (store-plugin serve), in this Pod or network namespace?"
