"""What a call is called that had no time left, by what kept it."""

from pathlib import Path

import grpc
import pytest

from store_plugin.client import _attempt
from store_plugin.client._attempt import Attempt
from store_plugin.client._connection import Connection, TlsFiles
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import DeadlineExceeded, NotReachable


class Ended(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[()]:
        return ()


NEVER_SENT = Ended(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: nobody")
DROPPED = Ended(grpc.StatusCode.CANCELLED, "CANCELLED")


@pytest.mark.parametrize(
    ("endings", "expected"),
    [
        ([], DeadlineExceeded),
        ([NEVER_SENT], NotReachable),
        ([DROPPED], DeadlineExceeded),
        ([NEVER_SENT, DROPPED], DeadlineExceeded),
        ([DROPPED, NEVER_SENT], NotReachable),
    ],
    ids=["no-answer", "never-sent", "dropped", "dropped-later", "not-reached-again"],
)
def test_a_call_without_time_left_says_whether_it_was_ever_sent(
    endings: list[Ended], expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(_attempt.time, "monotonic", lambda: now)
    connection = Connection(Endpoint.parse("@nobody"), None, None, None, timeout=1.0, connect_timeout=1.0)
    attempt = Attempt(connection, None, repeatable=True)
    for ended in endings:
        attempt.wait_after(ended)
    now += 2.0
    with pytest.raises(expected):
        _ = attempt.remaining


REFUSED = "connect: Connection refused (111)"


@pytest.mark.parametrize(
    ("endpoint", "cause", "told"),
    [
        (
            "unix:///@a/b",
            f"unix-abstract:a/b: {REFUSED}",
            "unix:///@a/b (Connection refused (111)); waited 1 s. Does a sidecar --listen there "
            "(store-plugin serve), in this Pod or network namespace?",
        ),
        (
            "unix:///run/a.sock",
            "unix:/run/a.sock: connect: No such file or directory (2)",
            "unix:///run/a.sock (No such file or directory (2)); waited 1 s. Does a sidecar --listen there "
            "(store-plugin serve), and is its volume mounted here?",
        ),
        (
            "unix:///run/a.sock",
            "unix:/run/a.sock: connect: Permission denied (13)",
            "unix:///run/a.sock (Permission denied (13)); waited 1 s. This user may not open the socket: "
            "see --socket-mode and --socket-group of the sidecar",
        ),
        (
            "sidecar:4040",
            f"ipv4:10.0.0.7:4040: {REFUSED}",
            "sidecar:4040 (ipv4:10.0.0.7:4040: connect: Connection refused (111)); waited 1 s. "
            "Is the sidecar running there, and do its certificate and ours fit?",
        ),
    ],
    ids=["abstract", "path", "not-allowed", "tcp"],
)
def test_what_to_do_where_nobody_answers(
    endpoint: str, cause: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(_attempt.time, "monotonic", lambda: now)
    where = Endpoint.parse(endpoint)
    tls = TlsFiles(Path("ca.crt"), None, None) if where.transport is Transport.TCP else None
    connection = Connection(where, tls, None, None, timeout=9.0, connect_timeout=1.0)
    attempt = Attempt(connection, None, repeatable=True)
    now += 2.0
    details = f"failed to connect to all addresses; last error: UNKNOWN: {cause}"
    with pytest.raises(NotReachable) as caught:
        attempt.wait_after(Ended(grpc.StatusCode.UNAVAILABLE, details))
    assert caught.value.message == f"nobody answers at {told}"
