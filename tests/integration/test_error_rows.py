"""The rows of the error table of docs/wire.md that take more than a local store: a server, one
that is dead, a store with a bug, too many calls. Each under both service names."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message

from store_plugin import errors
from store_plugin._proto.ess_pb2 import ApplySecretRequest, DeleteKeysRequest, GetSecretRequest
from tests.integration.conftest import World, make_world
from tests.integration.crowds import metric
from tests.support import faulty_store, manifests
from tests.support.black_hole import silent_server
from tests.support.openbao import OpenBao
from tests.support.ports import free_port
from tests.support.raw import SERVICE_NAMES, RawService, channel_to, config, secret, typed
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

LONG = 120.0
"""Seconds that a caller gives a call whose end the sidecar is to tell."""
DEEP = '{"k": ' + "[" * 3000 + "]" * 3000 + "}"


@pytest.fixture(scope="module")
def world(bao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make_world(bao, tmp_path_factory.mktemp("world"))
    with silent_server() as silent:
        world.vault("silent", server=silent)
        world.vault("impatient", server=silent, timeout="1s")
        world.vault("refusing", server=f"http://127.0.0.1:{free_port()}")
        manifests.write(world.configs, faulty_store.KIND, "faulty", {})
        yield world


@pytest.fixture(scope="module")
def sidecar(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarProcess]:
    environ = faulty_store.environ(tmp_path_factory.mktemp("site"))
    with running_sidecar(world.configs, environ=environ) as process:
        yield process


@pytest.fixture(params=SERVICE_NAMES)
def service(request: pytest.FixtureRequest, sidecar: SidecarProcess) -> Iterator[RawService]:
    with channel_to(sidecar.endpoint) as channel:
        yield RawService(channel, request.param)


def get(name: str) -> GetSecretRequest:
    return GetSecretRequest(config=config(name, kind="VaultConfig"), secret=secret("team-a/db"))


def refusal(service: RawService, request: Message, **metadata: str) -> errors.StorePluginError:
    with pytest.raises(errors.StorePluginError) as caught:
        service.call(request, LONG, **metadata)
    return caught.value


@pytest.mark.parametrize("method", [GetSecretRequest, ApplySecretRequest, DeleteKeysRequest])
def test_a_bug_tells_its_request_id_and_only_the_log_tells_more(
    service: RawService, sidecar: SidecarProcess, method: type[Message]
) -> None:
    request_id, before = uuid4().hex, len(sidecar.log)
    faulty = config("faulty", kind=faulty_store.KIND)
    request = method(config=faulty, secret=secret("team-a/db", {"k": b"v"}))
    error = refusal(service, request, x_request_id=request_id)
    assert (error.code, error.reason) == (errors.Code.INTERNAL, "BUG")
    assert error.metadata["request_id"] == request_id
    assert request_id in error.message
    for told in ("Traceback", "KeyError", "fakes.py", faulty_store.CANARY):
        assert told not in error.message
    lines = [line for line in sidecar.log[before:].splitlines() if request_id in line]
    assert any("KeyError" in line and "fakes.py" in line for line in lines), lines


def test_what_is_no_document_to_merge_into_is_refused(service: RawService, world: World) -> None:
    name, where = f"team-a/{uuid4().hex}", config("v1", kind="VaultConfig")
    world.bao.api("PUT", f"{world.mounts['v1']}/{name}", DEEP)
    for request in (
        GetSecretRequest(config=where, secret=secret(name)),
        ApplySecretRequest(config=where, secret=secret(name, {"k": b"v"})),
        DeleteKeysRequest(config=where, secret=secret(name, {"k": b""})),
    ):
        error = refusal(service, request)
        assert (error.code, error.reason) == (errors.Code.FAILED_PRECONDITION, "DOCUMENT_INVALID")
        assert name in error.message
    service.call(DeleteKeysRequest(config=where, secret=secret(name)))
    stored = service.call(GetSecretRequest(config=where, secret=secret(name)))
    assert not stored.secret.data  # type: ignore[attr-defined]


def test_a_store_that_most_calls_fail_at_is_not_asked(service: RawService) -> None:
    def is_left_alone() -> bool:
        error = refusal(service, get("refusing"))
        assert error.code == errors.Code.UNAVAILABLE
        assert error.reason in ("STORE_UNAVAILABLE", "BREAKER_OPEN")
        return error.reason == "BREAKER_OPEN" and bool(error.retry_after)

    eventually(is_left_alone)


def test_a_store_that_does_not_answer_in_time(service: RawService) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        service.send("GetSecret", get("impatient").SerializeToString(), LONG)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
    assert "VaultConfig/impatient" in caught.value.details()  # type: ignore[attr-defined]
    assert type(typed(caught.value)) is errors.DeadlineExceeded


def test_more_calls_than_may_be_in_flight(world: World) -> None:
    with running_sidecar(world.configs, "--max-in-flight", "2") as sidecar, ExitStack() as stack:
        channel = stack.enter_context(channel_to(sidecar.endpoint))
        services = [RawService(channel, name) for name in SERVICE_NAMES]
        threads = stack.enter_context(ThreadPoolExecutor(len(services)))
        held = [threads.submit(service.call, get("silent"), LONG) for service in services]
        eventually(lambda: metric(sidecar, "store_plugin_in_flight") == len(held))
        for service in services:
            error = refusal(service, get("v2"))
            assert (error.code, error.reason) == (errors.Code.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert error.retry_after
        sidecar.kill()  # those that are held need not wait for their deadline
        assert all(call.exception() for call in held)
