"""Figures with configs of a real API server: `make bench BENCH_ARGS=--kubernetes`."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench.figures import Table
from bench.process import resident_mb, run_load
from store_plugin.client import Client
from tests.support.certificates import CertificateAuthority
from tests.support.kubernetes import Cluster, control_plane
from tests.support.manifests import manifest
from tests.support.openbao import OpenBao, dev_server
from tests.support.sidecar import SidecarProcess, started_sidecar, wait_ready

MANY = 10_000
NAME = "bench/db"
CHANGES = 20
CRDS = Path(__file__).parents[1] / "crds"


def configs_of_a_cluster(table: Table, directory: Path, rounds: int, seconds: float) -> None:
    """Start, memory and latency with one config and with ten thousand; how soon a change counts."""
    with ExitStack() as stack:
        bao = stack.enter_context(dev_server(directory))
        cluster = stack.enter_context(control_plane(directory, CertificateAuthority.create()))
        for path in sorted(CRDS.glob("*.yaml")):
            cluster.define(yaml.safe_load(path.read_text()))
        (directory / "kubeconfig").write_text(yaml.safe_dump(cluster.kubeconfig()))
        _write(cluster, bao, "vault")
        few = stack.enter_context(_sidecar(directory, bao))
        alone = [_p50(few, seconds) for _ in range(rounds)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: _write(cluster, bao, f"vault-{number}"), range(MANY)))
        begin = time.perf_counter()
        crowded = stack.enter_context(_sidecar(directory, bao))
        synced = time.perf_counter() - begin
        beside = [_p50(crowded, seconds) for _ in range(rounds)]
        memory = resident_mb(psutil.Process(crowded.pid))
        table.add("start to synced, 10,000 configs of a cluster", synced, "s", 10)
        table.add("memory with 10,000 configs of a cluster", memory, "MB", 200)
        compared = statistics.median(beside) / statistics.median(alone)
        table.add("p50 of a get, 10,000 configs of a cluster / 1", compared, "x", 1.1)
        delays = [_delay(cluster, bao, crowded, number) for number in range(CHANGES)]
        table.add(
            "a change in force after its write returned, median", 1000 * statistics.median(delays), "ms"
        )
        table.add("a change in force after its write returned, longest of 20", 1000 * max(delays), "ms", 500)


@contextmanager
def _sidecar(directory: Path, bao: OpenBao) -> Iterator[SidecarProcess]:
    environ = {"BENCH_VAULT_TOKEN": bao.root_token}
    kubeconfig = str(directory / "kubeconfig")
    with started_sidecar(directory, "--kubeconfig", kubeconfig, environ=environ) as process:
        wait_ready(process)
        with Client(process.endpoint) as client:
            client.apply("VaultConfig/vault", NAME, {"k": b"v"})
        yield process


def _write(cluster: Cluster, bao: OpenBao, name: str, **changes: Any) -> None:
    token = {"source": "Environment", "env": {"name": "BENCH_VAULT_TOKEN"}}
    auth = {"method": "Token", "token": token}
    spec = {"server": bao.address, "mountPath": "secret", "auth": auth, **changes}
    cluster.apply(manifest("VaultConfig", name, spec))


def _p50(sidecar: SidecarProcess, seconds: float) -> float:
    process = psutil.Process(sidecar.pid)
    options: dict[str, object] = {"callers": 1, "seconds": seconds, "kind": "VaultConfig", "config": "vault"}
    return run_load("get", sidecar.endpoint, process, name=NAME, **options).p50


def _delay(cluster: Cluster, bao: OpenBao, sidecar: SidecarProcess, number: int) -> float:
    """Seconds from the end of a write until a call is served as it says."""
    prefix, data = f"place-{number}", {"k": str(number).encode()}
    with Client(sidecar.endpoint) as client:
        client.apply("VaultConfig/vault", f"{prefix}/x", data)
        _write(cluster, bao, "vault-7", pathPrefix=prefix)
        begin = time.perf_counter()
        while client.get("VaultConfig/vault-7", "x").data != data:
            time.sleep(0.001)
        return time.perf_counter() - begin
