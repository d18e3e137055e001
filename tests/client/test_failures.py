"""Every failed call raises a typed error, and no call is carried out twice."""

import subprocess
import sys
import threading
import time
from math import inf, nan
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message

from store_plugin import errors
from store_plugin._proto import ess_pb2
from store_plugin.client import Client
from store_plugin.errors import (
    Cancelled,
    Code,
    Conflict,
    ConnectionLost,
    DeadlineExceeded,
    InvalidRequest,
    NotReachable,
    RemoteError,
    StorePluginError,
    StoreUnavailable,
    Throttled,
)
from tests.client.conftest import MakeClient
from tests.client.ess_server import EssServer, serving
from tests.client.relay import Relay
from tests.support.waiting import eventually

CONFIG = "LocalConfig/files"
CLIENT_ONLY = {NotReachable, ConnectionLost}
FROM_SERVERS = [cls for cls in errors.error_classes() if cls.reason and cls not in CLIENT_ONLY]


@pytest.mark.parametrize("cls", FROM_SERVERS, ids=lambda cls: cls.__name__)
def test_each_error_arrives_as_its_class(client: Any, server: EssServer, cls: type[StorePluginError]) -> None:
    server.fail("ApplySecret", cls("in words", metadata={"config": "files"}, retry_after=1.5))
    with pytest.raises(cls) as caught:
        client.apply(CONFIG, "team-a/db", {})
    error = caught.value
    assert type(error) is cls
    assert (error.code, error.reason, error.message) == (cls.code, cls.reason, "in words")
    assert (error.metadata, error.retry_after) == ({"config": "files"}, 1.5)


@pytest.mark.parametrize("error", [StoreUnavailable("sealed"), Throttled("slow down"), Conflict("raced")])
def test_errors_of_servers_are_not_retried(client: Any, server: EssServer, error: StorePluginError) -> None:
    server.fail("ApplySecret", error)
    with pytest.raises(type(error)):
        client.apply(CONFIG, "team-a/db", {})
    assert server.methods() == ["ApplySecret"]


def test_error_without_our_details_keeps_its_code(client: Any, server: EssServer) -> None:
    def answer(_request: Message, context: grpc.ServicerContext) -> Message:
        context.abort(grpc.StatusCode.OUT_OF_RANGE, "not ours")
        raise AssertionError

    server.answers["GetSecret"] = answer
    with pytest.raises(RemoteError, match="not ours") as caught:
        client.get(CONFIG, "team-a/db")
    assert caught.value.code is Code.OUT_OF_RANGE


def test_server_that_serves_something_else_is_told_apart(client: Any, server: EssServer) -> None:
    def answer(_request: Message, context: grpc.ServicerContext) -> Message:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        raise AssertionError

    server.answers["GetSecret"] = answer
    with pytest.raises(RemoteError) as caught:
        client.get(CONFIG, "team-a/db")
    assert caught.value.code is Code.UNIMPLEMENTED


def test_deadline_ends_a_call(client: Any, server: EssServer) -> None:
    release = threading.Event()
    server.answers["ApplySecret"] = lambda *_: (release.wait(20), ess_pb2.ApplySecretResponse())[1]
    client.get(CONFIG, "team-a/db")  # so that it is connected: what is over is the answer's time
    with pytest.raises(DeadlineExceeded, match="within 2 s"):
        client.apply(CONFIG, "team-a/db", {}, timeout=2)
    release.set()
    assert server.methods() == ["GetSecret", "ApplySecret"]


def test_deadline_travels_to_the_server(make_client: MakeClient, endpoint: str, server: EssServer) -> None:
    left: list[float] = []

    def answer(_request: Message, context: grpc.ServicerContext) -> Message:
        left.append(context.time_remaining() or 0)
        return ess_pb2.GetSecretResponse()

    server.answers["GetSecret"] = answer
    make_client(endpoint).get(CONFIG, "team-a/db")
    make_client(endpoint, timeout=60).get(CONFIG, "team-a/db")
    assert 0 < left[0] <= 31  # gRPC rounds up
    assert 31 < left[1] <= 61


@pytest.mark.parametrize("timeout", [inf, 1e12], ids=str)
def test_a_call_may_wait_for_as_long_as_it_likes(
    make_client: MakeClient, endpoint: str, server: EssServer, timeout: float
) -> None:
    """gRPC's own clock ends before such a deadline: it would have passed at once."""
    make_client(endpoint).get(CONFIG, "team-a/db", timeout=timeout)
    make_client(endpoint, timeout=timeout, connect_timeout=timeout).get(CONFIG, "team-a/db")
    assert server.methods() == ["GetSecret"] * 2


@pytest.mark.parametrize(
    ("timeout", "expected"), [(nan, InvalidRequest), (0, DeadlineExceeded), (-1, DeadlineExceeded)], ids=str
)
def test_a_call_without_time_is_not_sent(
    client: Any, server: EssServer, timeout: float, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        client.get(CONFIG, "team-a/db", timeout=timeout)
    assert server.received == []


@pytest.mark.parametrize(
    "target",
    [f"unix:///@store-plugin-test/{uuid4().hex}", f"unix:///tmp/{uuid4().hex}.sock"],
    ids=["abstract socket", "path socket"],
)
def test_nobody_listening_is_told_within_the_connect_budget(make_client: MakeClient, target: str) -> None:
    started = time.monotonic()
    with pytest.raises(NotReachable) as caught:
        make_client(target, connect_timeout=0.5).apply(CONFIG, "team-a/db", {})
    assert time.monotonic() - started < 15  # far from the deadline of 30 s
    assert target in caught.value.message
    assert "store-plugin serve" in caught.value.message
    assert caught.value.code is Code.UNAVAILABLE


def test_short_deadline_without_a_server_is_not_reachable(make_client: MakeClient, endpoint: str) -> None:
    with pytest.raises(NotReachable):
        make_client(endpoint).get(CONFIG, "team-a/db", timeout=2)


def test_server_that_starts_late_gets_the_call_once(make_client: MakeClient, endpoint: str) -> None:
    client = make_client(endpoint, connect_timeout=30)
    late = EssServer()
    starter = threading.Timer(0.5, late.start, [endpoint])
    starter.start()
    try:
        client.apply(CONFIG, "team-a/db", {"key": b"value"})
        assert late.methods() == ["ApplySecret"]
    finally:
        starter.join()
        late.stop().wait()


def test_server_of_another_process_that_starts_late_is_found(make_client: MakeClient, endpoint: str) -> None:
    """A server in this process would do gRPC's work for the client, and hide that the
    client does not do it itself."""
    command = [sys.executable, "-m", "tests.client.late_server", endpoint, "0.5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as late:
        make_client(endpoint, connect_timeout=30).get(CONFIG, "team-a/db")
        late.communicate()


def test_restarted_server_is_found_again(make_client: MakeClient, endpoint: str) -> None:
    client = make_client(endpoint, connect_timeout=30)
    with serving(endpoint):
        client.get(CONFIG, "team-a/db")
    with serving(endpoint) as again:
        eventually(lambda: _answers(client))
        assert again.methods() == ["GetSecret"]


def test_call_that_a_dying_server_had_taken_is_not_sent_again(make_client: MakeClient, endpoint: str) -> None:
    """The server that comes back must not see the apply a second time."""
    taken, release = threading.Event(), threading.Event()

    def answer(_request: Message, _context: grpc.ServicerContext) -> Message:
        taken.set()
        release.wait(20)
        return ess_pb2.ApplySecretResponse()

    dying = Relay(endpoint)
    with serving(dying.behind) as server, dying:
        server.answers["ApplySecret"] = answer
        client = make_client(endpoint, connect_timeout=30)
        cutter = threading.Thread(target=lambda: (taken.wait(20), dying.cut()))
        cutter.start()
        with pytest.raises(ConnectionLost, match="may or may not have been carried out"):
            client.apply(CONFIG, "team-a/db", {})
        cutter.join()
        release.set()
        eventually(lambda: _answers(client))
        assert server.methods().count("ApplySecret") == 1


def dropping(server: EssServer, times: int) -> None:
    """Have the server drop calls of ApplySecret, as one does that begins to drain."""

    def answer(_request: Message, context: grpc.ServicerContext) -> Message:
        if len(server.received) <= times:
            context.cancel()
        return ess_pb2.ApplySecretResponse(changed=True)

    server.answers["ApplySecret"] = answer


def test_a_call_that_a_draining_server_dropped_is_sent_again(client: Any, server: EssServer) -> None:
    dropping(server, 2)
    assert client.apply(CONFIG, "team-a/db", {"k": b"v"}).changed
    assert server.methods() == ["ApplySecret"] * 3


def test_a_server_that_drops_every_call_is_given_up(client: Any, server: EssServer) -> None:
    dropping(server, 100)
    with pytest.raises(Cancelled):
        client.apply(CONFIG, "team-a/db", {"k": b"v"})
    assert server.methods() == ["ApplySecret"] * 3


def test_a_dropped_call_that_names_a_version_is_not_sent_again(client: Any, server: EssServer) -> None:
    """Had it been carried out, the second would be refused although nobody else wrote."""
    dropping(server, 1)
    with pytest.raises(Cancelled):
        client.apply(CONFIG, "team-a/db", {"k": b"v"}, if_version="3")
    assert server.methods() == ["ApplySecret"]


def test_nothing_can_be_sent_after_close(make_client: MakeClient, endpoint: str, server: EssServer) -> None:
    client = make_client(endpoint)
    client.get(CONFIG, "team-a/db")
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.get(CONFIG, "team-a/db")
    assert server.methods() == ["GetSecret"]


def _answers(client: Any) -> bool:
    """Whether a get comes through. One that begins while its connection is just ending is
    lost with it, and a get is not sent again either."""
    try:
        client.get(CONFIG, "team-a/db")
    except ConnectionLost:
        return False
    return True


def test_giving_up_leaves_no_thread_that_fails_later() -> None:
    """gRPC watches a channel on a thread of its own, whose end nobody sees but on stderr."""
    failed: list[str] = []
    before, threading.excepthook = threading.excepthook, lambda ended: failed.append(str(ended.exc_value))
    try:
        for _ in range(3):
            with (
                Client(f"unix:///@nobody/{uuid4().hex}", connect_timeout=0.6) as client,
                pytest.raises(NotReachable),
            ):
                client.get(CONFIG, "team-a/db")
        time.sleep(0.3)  # the watching thread looks five times a second
    finally:
        threading.excepthook = before
    assert failed == []
