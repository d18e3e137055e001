"""A store that is dead in one way or another costs its own callers, for a bounded time, and
nobody else anything."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from store_plugin import errors
from store_plugin.client import Client
from tests.integration.conftest import World, make_world
from tests.integration.crowds import CALLERS, REFUSED, callers_of, guards_of, metric, state_of
from tests.support.black_hole import deaf_server, silent_server
from tests.support.openbao import OpenBao
from tests.support.ports import free_port
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

DATA = {"k": b"v"}
DEAD = ("silent", "deaf", "refusing")
SLOTS = 32
MOST_WAITING = 8 * SLOTS
_SILENT_NAMES = """
import socket, threading
known = socket.getaddrinfo
def getaddrinfo(host, *question, **named):
    if str(host).endswith(".silent.test") and not (len(question) > 4 and question[4] & socket.AI_NUMERICHOST):
        threading.Event().wait(60)
    return known(host, *question, **named)
socket.getaddrinfo = getaddrinfo
"""
"""A name server that never answers for one domain, for a process with this as `sitecustomize`."""


@pytest.fixture(scope="module")
def world(bao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make_world(bao, tmp_path_factory.mktemp("world"))
    with ExitStack() as stack:
        world.vault("silent", server=stack.enter_context(silent_server()))
        world.vault("deaf", server=stack.enter_context(deaf_server()))
        world.vault("refusing", server=f"http://127.0.0.1:{free_port()}")
        yield world


@pytest.fixture
def sidecar(world: World) -> Iterator[SidecarProcess]:
    """Each test has its own: breakers remember."""
    with running_sidecar(world.configs) as process:
        yield process


@pytest.mark.parametrize("name", DEAD)
def test_others_are_served_while_one_store_is_dead(sidecar: SidecarProcess, name: str) -> None:
    with Client(sidecar.endpoint) as client:
        client.apply("VaultConfig/v2", "team-a/alive", DATA)
        client.apply("LocalConfig/files", "team-a/alive", DATA)
        with callers_of(sidecar, name, 25.0) as dead:
            if name != "refusing":
                eventually(lambda: guards_of(sidecar, name).get("in_flight") == SLOTS)
            for _ in range(100):
                assert dict(client.get("VaultConfig/v2", "team-a/alive").data) == DATA
                assert dict(client.get("LocalConfig/files", "team-a/alive").data) == DATA
            if name == "silent":
                assert not any(call.done() for call in dead), "200 answers while they all wait for one"
            assert {type(call.exception()) for call in dead} <= set(REFUSED)
    assert sidecar.process.poll() is None
    assert "call failed unexpectedly" not in sidecar.log


def at_rest(guards: dict[str, Any]) -> bool:
    return (guards["in_flight"], guards["waiting"]) == (0, 0)


@pytest.mark.parametrize("name", DEAD)
def test_a_dead_store_is_left_alone_and_its_callers_are_told_at_once(
    sidecar: SidecarProcess, name: str
) -> None:
    with callers_of(sidecar, name, 10.0 if name == "silent" else 20.0) as dead:
        assert all(call.exception() for call in dead)
    eventually(lambda: at_rest(guards_of(sidecar, name)))  # it hears of a caller's deadline a moment later
    guards = guards_of(sidecar, name)
    assert guards["breaker"] in ("Open", "HalfOpen")
    assert guards["refused"] > 0, "who waited for a slot was sent away"
    assert metric(sidecar, 'store_plugin_store_breakers{kind="VaultConfig",state="Closed"}') == 0
    assert metric(sidecar, "store_plugin_store_calls_refused_total") == guards["refused"]
    assert state_of(sidecar, name)["state"] == "Failing"
    assert sidecar.http("/readyz").startswith("ok"), "a broken config never makes the Pod unready"
    calls = metric(sidecar, "store_plugin_store_calls_total")
    with callers_of(sidecar, name, 20.0) as dead:
        told = [call.exception() for call in dead]
    refusals = [error for error in told if isinstance(error, errors.BreakerOpen)]
    probes = metric(sidecar, "store_plugin_store_calls_total") - calls
    assert len(refusals) >= CALLERS - 2 * probes
    assert probes < CALLERS / 10
    assert all(error.retry_after for error in refusals)


def test_what_waits_for_a_dead_store_is_bounded(world: World) -> None:
    with running_sidecar(world.configs) as sidecar, ExitStack() as stack:
        crowds = [stack.enter_context(callers_of(sidecar, "silent", 60.0, team)) for team in "abcd"]
        calls = [call for crowd in crowds for call in crowd]
        eventually(lambda: guards_of(sidecar, "silent").get("refused"))
        guards = guards_of(sidecar, "silent")
        assert guards["in_flight"] == SLOTS
        assert guards["waiting"] <= MOST_WAITING
        refused = [call.exception() for call in calls if call.done()]
        assert {type(error) for error in refused} == {errors.Overloaded}
        sidecar.kill()  # those who wait need not wait for their deadline
        assert all(call.exception() for call in calls)


def test_others_connect_while_the_names_of_some_servers_are_looked_up(world: World, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_SILENT_NAMES)
    names = [f"nameless-{number}" for number in range(4)]
    paths = [world.vault(name, server=f"http://{name}.silent.test:8200") for name in names]
    paths.append(world.vault("named", server=world.bao.address.replace("127.0.0.1", "localhost")))
    try:
        with (
            running_sidecar(world.configs, environ={"PYTHONPATH": str(tmp_path)}) as sidecar,
            ExitStack() as stack,
            Client(sidecar.endpoint) as client,
        ):
            crowds = [stack.enter_context(callers_of(sidecar, name, 20.0)) for name in names]
            eventually(lambda: all(guards_of(sidecar, name).get("in_flight") for name in names))
            client.apply("VaultConfig/named", "team-a/alive", DATA, timeout=15.0)
            assert dict(client.get("VaultConfig/named", "team-a/alive").data) == DATA
            told = [call.exception() for crowd in crowds for call in crowd]
            assert {type(error) for error in told} <= set(REFUSED)
    finally:
        for path in paths:
            path.unlink()


def test_a_changed_config_begins_with_a_closed_breaker(world: World) -> None:
    with running_sidecar(world.configs) as sidecar, Client(sidecar.endpoint) as client:
        path: Path = world.vault("mended", server=f"http://127.0.0.1:{free_port()}")
        try:
            eventually(lambda: _is_known(client))
            with callers_of(sidecar, "mended", 20.0) as calls:
                assert all(call.exception() for call in calls)
            assert guards_of(sidecar, "mended")["breaker"] != "Closed"
            world.vault("mended")
            eventually(lambda: state_of(sidecar, "mended")["generation"] == 2)
            client.apply("VaultConfig/mended", "team-a/mended", DATA)
            assert guards_of(sidecar, "mended")["breaker"] == "Closed"
        finally:
            path.unlink()


def _is_known(client: Client) -> bool:
    try:
        client.get("VaultConfig/mended", "team-a/db")
    except errors.ConfigNotFound:
        return False
    except errors.StoreUnavailable:
        pass
    return True
