"""Keys that a plugin returns for the audit record reach the hub with their call, and nothing else does."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest
from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.hub import Hub, HubListener
from store_plugin.hub.peer import Peer
from store_plugin.plugin import Plugin, note_for_audit
from store_plugin.stream.audit_notes import MOST_KEYS, metadata_of_notes, notes_in, noting
from store_plugin.testing.environment import RecordingLog
from tests.hub.conftest import running
from tests.support.echo import Echo, EchoStub, add_echo


class Noting(Echo):
    """Notes a key in each method."""

    async def Say(self, request: bytes, context: Any) -> bytes:
        note_for_audit("said", "said-twice", "said")
        context.set_trailing_metadata((("audit-by-hand", "canary"), ("other", "canary")))
        return request

    def SayInThread(self, request: bytes, context: Any) -> bytes:
        note_for_audit("in-thread")
        return request

    async def Refuse(self, request: bytes, context: Any) -> bytes:
        note_for_audit("refused")
        return await super().Refuse(request, context)

    async def Break(self, request: bytes, context: Any) -> bytes:
        note_for_audit("broken")
        raise RuntimeError("inside")

    async def Count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        note_for_audit("counted")
        yield request


Noted = list[tuple[str, str, tuple[str, ...]]]


@pytest.fixture
def noted() -> Noted:
    return []


@pytest.fixture
async def stub(endpoint: str, noted: Noted) -> AsyncIterator[Any]:
    def take(peer: Peer, method: str, keys: tuple[str, ...]) -> None:
        noted.append((peer.name, method.rpartition("/")[2], keys))

    listener = HubListener(Endpoint.parse(endpoint), anyone, any_name)
    plugin = Plugin("echo", "1.0")
    add_echo(Noting(), plugin)
    async with Hub([listener], RecordingLog(), noted=take) as hub, running(plugin, endpoint):
        channel = hub.plugin("echo")
        await channel.channel_ready()
        yield EchoStub(channel)


async def test_the_keys_of_a_call_are_told_without_their_values(stub: Any, noted: Noted) -> None:
    await stub.Say(b"")
    assert noted == [("echo", "Say", ("by-hand", "said", "said-twice"))]
    assert "canary" not in repr(noted)


@pytest.mark.parametrize(
    ("method", "key"), [("SayInThread", "in-thread"), ("Refuse", "refused"), ("Break", "broken")]
)
async def test_the_keys_of_functions_and_of_failures_are_told(
    stub: Any, noted: Noted, method: str, key: str
) -> None:
    try:
        await getattr(stub, method)(b"")
    except grpc.aio.AioRpcError:
        pass
    assert noted == [("echo", method, (key,))]


async def test_the_keys_of_a_stream_are_told_at_its_end(stub: Any, noted: Noted) -> None:
    assert [reply async for reply in stub.Count(b"1")] == [b"1"]
    assert noted == [("echo", "Count", ("counted",))]


@pytest.mark.parametrize("key", ["", "Upper", "a b", "-begin", "a\n", "x" * 65, "café"])
def test_what_is_no_key_is_refused_where_it_is_written(key: str) -> None:
    with pytest.raises(InvalidRequest, match="no key for the audit record"):
        note_for_audit(key)


def test_outside_of_a_call_nothing_is_noted() -> None:
    note_for_audit("nowhere")
    with noting() as notes:
        pass
    assert not notes


def test_so_many_keys_are_noted_and_no_more() -> None:
    with noting() as notes:
        note_for_audit(*(f"key-{number}" for number in range(40)))
        note_for_audit("one-more")
    assert len(notes) == MOST_KEYS


@given(st.lists(st.tuples(st.text(max_size=80), st.text() | st.binary()), max_size=40))
def test_whatever_comes_in_few_plain_keys_are_taken(pairs: list[tuple[str, str | bytes]]) -> None:
    found = notes_in((*pairs, *((f"audit-{key}", value) for key, value in pairs)))
    assert len(found) <= MOST_KEYS
    assert all(key.isascii() and key.isprintable() and 1 <= len(key) <= 64 for key in found)


def test_what_was_noted_is_what_comes_in() -> None:
    assert notes_in(metadata_of_notes(["a", "b.c"])) == ("a", "b.c")
