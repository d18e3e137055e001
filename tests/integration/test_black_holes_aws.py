"""An endpoint of AWS that is dead costs the configs that name it, and no other: boto3 blocks a
thread for each call."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from store_plugin.client import Client
from tests.integration.crowds import CALLERS, REFUSED, callers_of, guards_of, state_of
from tests.support import manifests, moto
from tests.support.black_hole import deaf_server, silent_server
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

DATA = {"k": b"v"}
KIND = "AWSConfig"
ALIVE = ("secrets", "parameters")
DEAD = ("silent", "deaf")


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two services at moto, and two endpoints that are no use."""
    directory = tmp_path_factory.mktemp("world")
    configs = directory / "configs"
    configs.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(moto.server(directory))
        endpoints = dict.fromkeys(ALIVE, server.address)
        endpoints["silent"] = stack.enter_context(silent_server())
        endpoints["deaf"] = stack.enter_context(deaf_server())
        for name, endpoint in endpoints.items():
            service = "ParameterStore" if name == "parameters" else "SecretsManager"
            manifests.aws(configs, name, directory, endpoint, service=service)
        yield configs


@pytest.fixture
def sidecar(configs: Path) -> Iterator[SidecarProcess]:
    with running_sidecar(configs) as process:
        yield process


@pytest.mark.parametrize("name", DEAD)
def test_other_endpoints_are_served_while_one_is_dead(sidecar: SidecarProcess, name: str) -> None:
    with Client(sidecar.endpoint) as client:
        for config in ALIVE:
            client.apply(f"{KIND}/{config}", "team-a/alive", DATA)
        with callers_of(sidecar, name, 25.0, kind=KIND) as dead:
            eventually(lambda: guards_of(sidecar, name).get("in_flight") == guards_of(sidecar, name)["slots"])
            for _ in range(10):
                for config in ALIVE:
                    assert dict(client.get(f"{KIND}/{config}", "team-a/alive").data) == DATA
            if name == "silent":
                assert not any(call.done() for call in dead), "20 answers while they all wait for one"
            assert {type(call.exception()) for call in dead} <= set(REFUSED)
        assert state_of(sidecar, name)["state"] == "Failing"


def test_a_sidecar_ends_while_calls_hang(sidecar: SidecarProcess) -> None:
    with callers_of(sidecar, "silent", 12.0, kind=KIND) as dead:
        eventually(lambda: guards_of(sidecar, "silent").get("in_flight"))
        assert sidecar.stop() == 0
    assert len([call for call in dead if call.exception()]) == CALLERS
