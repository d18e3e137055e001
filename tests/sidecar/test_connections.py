"""Ten thousand connections, one per call, none closed by its client."""

import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from store_plugin._proto.ess_pb2 import GetSecretRequest
from tests.support.http2 import call_and_abandon
from tests.support.raw import SERVICE_NAMES, config, secret
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

CONNECTIONS = 10_000
BATCH = 1_000
KEPT_AT_MOST = 24 * 1024 * 1024
IDLE_SECONDS = "3"
METHOD = f"/{SERVICE_NAMES[0]}/GetSecret"
REQUEST = GetSecretRequest(config=config("files"), secret=secret("abandoned/db")).SerializeToString()


@pytest.fixture
def quick_to_close(config_dir: Path) -> Iterator[SidecarProcess]:
    with running_sidecar(config_dir, "--max-connection-idle", IDLE_SECONDS) as sidecar:
        yield sidecar


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def abandon(endpoint: str, count: int) -> list[socket.socket]:
    return [call_and_abandon(endpoint, METHOD, REQUEST) for _ in range(count)]


@pytest.mark.timeout(900)  # eleven thousand calls, one after the other
@pytest.mark.usefixtures("many_descriptors")
def test_abandoned_connections_cost_neither_descriptors_nor_memory_for_long(
    quick_to_close: SidecarProcess,
) -> None:
    process = psutil.Process(quick_to_close.pid)
    at_rest = process.num_fds()
    abandoned = abandon(quick_to_close.endpoint, BATCH)
    eventually(lambda: process.num_fds() <= at_rest + 10, within=120)
    warm = process.memory_info().rss
    for _ in range(CONNECTIONS // BATCH):
        abandoned += abandon(quick_to_close.endpoint, BATCH)
    eventually(lambda: process.num_fds() <= at_rest + 10, within=120)
    eventually(lambda: process.memory_info().rss - warm < KEPT_AT_MOST, within=120)
    for connection in abandoned:
        connection.close()
