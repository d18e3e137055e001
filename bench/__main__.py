"""`make bench`: the figures of this project, each held against floors of the same run.

Machines are noisy and differ: only ratios and CPU time per call carry over from one to
another. Rounds are interleaved and medians are taken.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from bench.access import access
from bench.cluster import configs_of_a_cluster
from bench.exec_credential import exec_credential
from bench.figures import Table
from bench.image import image
from bench.lifecycle import lifecycle
from bench.plugins import plugins
from bench.process import Load, background, resident_mb, run_load
from bench.publisher import publisher
from store_plugin.client import Client
from tests.support import manifests, moto
from tests.support.black_hole import silent_server
from tests.support.openbao import OpenBao, dev_server
from tests.support.sidecar import SidecarProcess, running_sidecar

NAME = "bench/db"
MANY_CONFIGS = 10_000
CALLERS = 16
PATIENT_CALLERS = 50
OWNER = "bench"
DATA = {"username": b"admin", "password": b"x" * 40, "endpoint": b"db.example.org:5432"}


@dataclass(frozen=True, slots=True)
class Bench:
    """What runs during the measurement."""

    table: Table
    bao: OpenBao
    sidecar: SidecarProcess
    crowded: SidecarProcess
    relay_target: str
    relay: psutil.Process
    echo_target: str
    echo: psutil.Process
    rounds: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one load")
    parser.add_argument("--plugins", action="store_true", help="measure plugins and the hub only")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/benchmarks.md too")
    parser.add_argument(
        "--kubernetes", action="store_true", help="measure configs of a cluster, and nothing else"
    )
    parser.add_argument("--lifecycle", action="store_true", help="measure the life of plugins only")
    parser.add_argument("--access", action="store_true", help="measure the consumer of ClusterProfiles only")
    parser.add_argument("--exec-credential", action="store_true", help="measure the credential plugin only")
    parser.add_argument("--image", action="store_true", help="measure the image only, as root, with podman")
    parser.add_argument("--publisher", action="store_true", help="measure the publisher only")
    options = parser.parse_args()
    table = Table()
    if options.image:
        image(table, options.rounds)
    elif options.lifecycle:
        with temporary_directory() as directory:
            lifecycle(table, Path(directory), options.rounds)
    elif options.access:
        with temporary_directory() as directory:
            access(table, Path(directory), options.rounds)
    elif options.exec_credential:
        with temporary_directory() as directory:
            exec_credential(table, Path(directory), options.rounds)
    elif options.publisher:
        with temporary_directory() as directory:
            publisher(table, Path(directory))
    elif options.kubernetes:
        with temporary_directory() as directory:
            configs_of_a_cluster(table, Path(directory), options.rounds, options.seconds)
    else:
        if not options.plugins:
            sidecars(table, options.rounds, options.seconds)
        plugins(table, options.rounds, options.seconds)
    if options.markdown:
        print("\n" + table.markdown())


def sidecars(table: Table, rounds: int, seconds: float) -> None:
    """The figures of the sidecar and its stores."""
    with prepared(table, rounds, seconds) as bench:
        start_and_memory(table)
        latency(bench)
        processor(bench)
        many_configs(bench)
        dead_store(bench)


@contextmanager
def prepared(table: Table, rounds: int, seconds: float) -> Iterator[Bench]:
    """OpenBao, the echo, a sidecar with two configs and one with ten thousand."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(temporary_directory()))
        bao = stack.enter_context(dev_server(directory))
        dead = [stack.enter_context(silent_server())] * rounds
        sidecar = stack.enter_context(running_sidecar(configs(directory / "few", bao, dead=dead)))
        crowded = stack.enter_context(running_sidecar(configs(directory / "many", bao, MANY_CONFIGS)))
        targets = [f"unix-abstract:store-plugin-bench/{uuid4().hex}" for _ in range(2)]
        echo = stack.enter_context(background(sys.executable, "-m", "bench.echo", targets[0]))
        command = (sys.executable, "-m", "bench.relay", targets[1], bao.address, "secret")
        relay = stack.enter_context(background(*command, token=bao.root_token))
        for one in (sidecar, crowded):
            with Client(one.endpoint) as client:
                for name in (NAME, *(f"{NAME}-{number}" for number in range(CALLERS))):
                    client.apply("VaultConfig/vault", name, DATA, owner=OWNER)
                    client.apply("LocalConfig/files", name, DATA, owner=OWNER)
        yield Bench(table, bao, sidecar, crowded, targets[1], relay, targets[0], echo, rounds, seconds)


@contextmanager
def temporary_directory() -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="store-plugin-bench-")
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def configs(directory: Path, bao: OpenBao, more: int = 0, dead: Sequence[str] = ()) -> Path:
    """A config directory with a Vault and a local store, `more` Vault configs, and those of
    `dead` servers."""
    (directory / "configs").mkdir(parents=True)
    token = directory / "token"
    token.write_text(bao.root_token)
    auth = {"method": "Token", "token": manifests.from_file(token)}
    spec = {"server": bao.address, "mountPath": "secret", "auth": auth}
    manifests.write(directory / "configs", "VaultConfig", "vault", spec)
    remembering = {**spec, "driftCheckInterval": "1h"}
    manifests.write(directory / "configs", "VaultConfig", "remembering", remembering)
    manifests.local(directory / "configs", "files", directory)
    for number, server in enumerate(dead):
        manifests.write(directory / "configs", "VaultConfig", f"dead-{number}", {**spec, "server": server})
    for number in range(more):
        manifests.write(directory / "configs", "VaultConfig", f"vault-{number}", spec)
    return directory / "configs"


def start_and_memory(table: Table) -> None:
    """Start to ready and memory at rest, with a config of each kind in use."""
    with temporary_directory() as name, ExitStack() as stack:
        directory = Path(name)
        bao = stack.enter_context(dev_server(directory))
        directory_of_configs = configs(directory / "start", bao)
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            with running_sidecar(directory_of_configs) as sidecar:
                times.append(time.perf_counter() - begin)
                at_rest = resident_mb(psutil.Process(sidecar.pid))
                with Client(sidecar.endpoint) as client:
                    client.apply("VaultConfig/vault", NAME, DATA, owner=OWNER)
                    client.apply("LocalConfig/files", NAME, DATA, owner=OWNER)
                in_use = resident_mb(psutil.Process(sidecar.pid))
        with_aws = memory_with_aws(directory, directory_of_configs)
    table.add("start to ready, median of 5", statistics.median(times), "s", 1.0)
    table.add("memory at rest with a local and a Vault config", at_rest, "MB", 80)
    table.add("memory with both stores in use", in_use, "MB")
    table.add("memory with a local, a Vault and two AWS configs in use", with_aws, "MB", 130)


def memory_with_aws(directory: Path, directory_of_configs: Path) -> float:
    """Resident memory in MB once hvac and boto3 are both in use."""
    with moto.server(directory) as aws:
        manifests.aws(directory_of_configs, "aws", directory, aws.address)
        manifests.aws(directory_of_configs, "parameters", directory, aws.address, service="ParameterStore")
        with running_sidecar(directory_of_configs) as sidecar, Client(sidecar.endpoint) as client:
            for config in ("VaultConfig/vault", "LocalConfig/files", "AWSConfig/aws", "AWSConfig/parameters"):
                client.apply(config, NAME, DATA, owner=OWNER)
            return resident_mb(psutil.Process(sidecar.pid))


def median_of(bench: Bench, *loads: Callable[[], Load]) -> list[list[Load]]:
    """Every load once a round, in turn; the results by load."""
    results: list[list[Load]] = [[] for _ in loads]
    for _ in range(bench.rounds):
        for result, load in zip(results, loads, strict=True):
            result.append(load())
    return results


def get(
    bench: Bench,
    sidecar: SidecarProcess,
    callers: int,
    load: str = "get",
    store: tuple[str, str] = ("VaultConfig", "vault"),
    **options: object,
) -> Load:
    process = psutil.Process(sidecar.pid)
    return run_load(
        load,
        sidecar.endpoint,
        process,
        callers=callers,
        seconds=bench.seconds,
        kind=store[0],
        config=store[1],
        name=NAME,
        **options,
    )


def echo(bench: Bench, callers: int) -> Load:
    return run_load("echo", bench.echo_target, bench.echo, callers=callers, seconds=bench.seconds)


def http(bench: Bench, callers: int) -> Load:
    url = f"{bench.bao.address}/v1/secret/data/{NAME}"
    return run_load(
        "http",
        url,
        psutil.Process(),
        token=bench.bao.root_token,
        callers=callers,
        seconds=bench.seconds,
    )


def p50(loads: list[Load]) -> float:
    return statistics.median(load.p50 for load in loads)


def relayed(bench: Bench, callers: int) -> Load:
    return run_load(
        "get", bench.relay_target, bench.relay, callers=callers, seconds=bench.seconds, name=NAME, kind="-"
    )


def latency(bench: Bench) -> None:
    """p50 of a get against the sum of its floors: a bare echo and the same read over HTTP."""
    for callers in (1, CALLERS):
        through, same, least, bare, direct = median_of(
            bench,
            lambda callers=callers: get(bench, bench.sidecar, callers),
            lambda callers=callers: get(bench, bench.sidecar, callers, same=True),
            lambda callers=callers: relayed(bench, callers),
            lambda callers=callers: echo(bench, callers),
            lambda callers=callers: http(bench, callers),
        )
        who = f"{callers} caller{'s' if callers > 1 else ''}"
        floors = [b.p50 + d.p50 for b, d in zip(bare, direct, strict=True)]
        bench.table.add(f"p50 of a bare grpc.aio echo, {who}", p50(bare), "ms")
        bench.table.add(f"p50 of the same read over HTTP from Python, {who}", p50(direct), "ms")
        bench.table.add(f"p50 of a get through the sidecar, {who}", p50(through), "ms")
        bench.table.add(f"get / (echo + HTTP read), p50, {who}", ratio(through, floors), "x", 1.3)
        bench.table.add(f"relay without rules / (echo + HTTP read), p50, {who}", ratio(least, floors), "x")
    bench.table.add(f"get of one secret by all / (echo + HTTP read), p50, {who}", ratio(same, floors), "x")


def ratio(loads: list[Load], floors: list[float]) -> float:
    """Median of the ratios round by round."""
    return statistics.median(load.p50 / floor for load, floor in zip(loads, floors, strict=True))


def processor(bench: Bench) -> None:
    """CPU time of the sidecar per call at 16 callers."""
    vault, apply, known, files, through_client, bare = median_of(
        bench,
        lambda: get(bench, bench.sidecar, CALLERS),
        lambda: get(bench, bench.sidecar, CALLERS, "apply"),
        lambda: get(bench, bench.sidecar, CALLERS, "apply", ("VaultConfig", "remembering")),
        lambda: get(bench, bench.sidecar, CALLERS, store=("LocalConfig", "files")),
        lambda: get(bench, bench.sidecar, CALLERS, "client"),
        lambda: echo(bench, CALLERS),
    )

    def cpu(loads: list[Load]) -> float:
        return statistics.median(load.server_cpu for load in loads)

    bench.table.add("CPU of the echo per call, 16 callers", cpu(bare), "ms")
    bench.table.add("CPU of the sidecar per get, Vault, 16 callers", cpu(vault), "ms", 0.55)
    bench.table.add("CPU of the sidecar per unchanged apply, Vault, 16 callers", cpu(apply), "ms", 0.55)
    bench.table.add("CPU of the sidecar per apply answered from its fingerprint", cpu(known), "ms")
    bench.table.add("CPU of the sidecar per get, local, 16 callers", cpu(files), "ms")
    bench.table.add("gets a second, Vault, 16 callers", statistics.median(load.rate for load in vault), "/s")
    through = statistics.median(load.rate for load in through_client)
    bench.table.add("gets a second, Vault, 16 callers, through AsyncClient", through, "/s")
    rate = statistics.median(load.rate for load in known)
    bench.table.add("applies a second, answered from their fingerprints, 16 callers", rate, "/s")
    bench.table.add("gets a second, local, 16 callers", statistics.median(load.rate for load in files), "/s")


def many_configs(bench: Bench) -> None:
    """Latency with ten thousand configs against latency with two."""
    few, many = median_of(bench, lambda: get(bench, bench.sidecar, 1), lambda: get(bench, bench.crowded, 1))
    compared = ratio(many, [load.p50 for load in few])
    bench.table.add("p50 of a get, 10,000 configs / 2 configs, 1 caller", compared, "x", 1.1)
    memory = resident_mb(psutil.Process(bench.crowded.pid))
    bench.table.add("memory with 10,000 configs", memory, "MB")


def dead_store(bench: Bench) -> None:
    """p99 of a get while others wait for a store that never answers, against p99 without them.
    Each round has a dead store of its own, whose breaker is closed at first."""
    rounds = iter(range(bench.rounds))

    def beside_a_dead_store() -> Load:
        command = (sys.executable, "-m", "bench.load", "patient", bench.sidecar.endpoint)
        options = (f"--callers={PATIENT_CALLERS}", f"--name={NAME}", f"--config=dead-{next(rounds)}")
        with background(*command, *options):
            return get(bench, bench.sidecar, 1)

    alone, beside = median_of(bench, lambda: get(bench, bench.sidecar, 1), beside_a_dead_store)
    compared = statistics.median(b.p99 / a.p99 for a, b in zip(alone, beside, strict=True))
    who = f"{PATIENT_CALLERS} callers of a dead store"
    bench.table.add("p99 of a get, 1 caller", statistics.median(load.p99 for load in alone), "ms")
    bench.table.add(f"p99 of a get beside {who} / alone", compared, "x")


if __name__ == "__main__":
    main()
