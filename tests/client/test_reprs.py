"""What a traceback or a debugger may show of the client's parts holds no secret."""

from store_plugin.cli.apply import Assignment
from store_plugin.client._connection import OpenChannel
from store_plugin.client._messages import Call

CANARY = "canary-in-a-repr"


def test_a_call_does_not_show_its_request() -> None:
    call: Call[bytes] = Call("ApplySecret", CANARY.encode(), bytes)
    assert CANARY not in repr(call)


def test_an_assignment_does_not_show_its_value() -> None:
    assert CANARY not in repr(Assignment.parse(f"password={CANARY}"))


def test_an_open_channel_does_not_show_its_key() -> None:
    assert CANARY not in repr(OpenChannel(object(), CANARY))  # type: ignore[arg-type]
