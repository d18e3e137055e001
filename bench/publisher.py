"""The publisher over a real API server, a sidecar and OpenBao: `make bench BENCH_ARGS=--publisher`."""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import yaml

from bench.figures import Table
from bench.process import resident_mb
from tests.support.certificates import CertificateAuthority
from tests.support.kubernetes import control_plane
from tests.support.openbao import dev_server
from tests.support.publisher import (
    Publisher,
    PublisherPlace,
    publisher_account,
    running_publisher,
    vault_configs,
)
from tests.support.sidecar import running_sidecar

FEW, MANY = 1000, 10_000
CHANGES = 20
VALUE = "x" * 4096
CRDS = Path(__file__).parents[1] / "crds"


def publisher(table: Table, directory: Path) -> None:
    """Begin, restart and follow, with a thousand Secrets and with ten thousand of 4 KiB."""
    with ExitStack() as stack:
        bao = stack.enter_context(dev_server(directory, audit=True))
        cluster = stack.enter_context(control_plane(directory, CertificateAuthority.create()))
        for path in sorted(CRDS.glob("*.yaml")):
            cluster.define(yaml.safe_load(path.read_text()))
        mount = bao.mount_kv()
        sidecar = stack.enter_context(running_sidecar(vault_configs(directory, bao, mount)))
        place = PublisherPlace(cluster, bao, mount, sidecar.endpoint, directory, cluster.namespace())
        place.store_config("vault")
        user = publisher_account(cluster)
        _put(place, range(FEW))
        with running_publisher(place, user=user) as process:
            begun = time.perf_counter()
            _until(lambda: _published(process) == FEW, process)
            table.add("1,000 Secrets published", time.perf_counter() - begun, "s", 60)
        _restart(table, place, user, FEW)
        _put(place, range(FEW, MANY))
        with running_publisher(place, user=user) as process:
            _until(lambda: _published(process) == MANY, process)
        _restart(table, place, user, MANY)
        _busy(table, place, user)


def _restart(table: Table, place: PublisherPlace, user: str, number: int) -> None:
    """With all of them published."""
    before = place.bao.audited_writes(place.mount)
    with place.cluster.recorded(user) as requests, running_publisher(place, user=user) as process:
        begun = time.perf_counter()
        _until(lambda: process.figure("calls_total", operation="publish", outcome="ok") == number, process)
        table.add(f"restart, {number:,} Secrets compared", time.perf_counter() - begun, "s")
        table.add(
            f"writes to the store by a restart, {number:,} Secrets",
            place.bao.audited_writes(place.mount) - before,
            "",
            0,
        )
        memory = resident_mb(psutil.Process(process.process.pid))
        table.add(f"memory, {number:,} Secrets of 4 KiB", memory, "MB", 200)
        delays = [_delay(place, change) for change in range(CHANGES)]
        table.add(
            f"a change in the store, {number:,} Secrets, median", 1000 * statistics.median(delays), "ms"
        )
        table.add(f"a change in the store, {number:,} Secrets, longest of 20", 1000 * max(delays), "ms", 2000)
    patches = sum(request.verb not in ("get", "list", "watch") for request in requests)
    table.add(f"writes to the cluster by a restart and 20 changes, {number:,} Secrets", patches, "", 0)


def _busy(table: Table, place: PublisherPlace, user: str) -> None:
    """Changes while all others are compared, after a restart."""
    with running_publisher(place, user=user) as process:
        delays = [_delay(place, change) for change in range(CHANGES)]
        compared = process.figure("calls_total", operation="publish", outcome="ok")
        assert compared < MANY, "it was over before the changes were"
        what = "a change in the store while 10,000 Secrets are compared"
        table.add(f"{what}, median", 1000 * statistics.median(delays), "ms")
        table.add(f"{what}, longest of 20", 1000 * max(delays), "ms", 2000)


def _delay(place: PublisherPlace, number: int) -> float:
    """Seconds from the end of a write until the store has it."""
    name, value = f"db-{number}", f"changed-{time.perf_counter_ns()}"
    place.change(name, {"password": value})
    begun = time.perf_counter()
    while place.stored(name).get("password") != value:
        time.sleep(0.002)
    return time.perf_counter() - begun


def _put(place: PublisherPlace, numbers: Sequence[int]) -> None:
    with ThreadPoolExecutor(8) as pool:
        data = {"username": "admin", "password": "pw", "blob": VALUE}
        list(pool.map(lambda number: place.put(f"db-{number}", data, publish_to="vault"), numbers))


def _published(process: Publisher) -> float:
    return process.figure("secrets", type="Published", reason="Published")


def _until(condition: Callable[[], object], process: Publisher, within: float = 600.0) -> None:
    give_up = time.monotonic() + within
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(process.log[-4000:])
        time.sleep(0.25)  # it counts all Secrets for an answer
