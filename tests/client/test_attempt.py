"""What a call is called that had no time left, by what kept it."""

import grpc
import pytest

from store_plugin.client import _attempt
from store_plugin.client._attempt import Attempt
from store_plugin.client._connection import Connection
from store_plugin.endpoints import Endpoint
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
