"""`store-plugin exec-credential`, which every connection of a kubectl waits for: from its start to
its answer, against an empty Python process of the same round."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Table
from store_plugin.client import Client
from tests.support import manifests
from tests.support.sidecar import PROGRAM, running_sidecar

CONFIG, NAME = "LocalConfig/files", "fleet/member"
RUNS_A_ROUND = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One process, in ms."""

    wall: float
    cpu: float


def exec_credential(table: Table, directory: Path, rounds: int) -> None:
    """Against a sidecar with a local store."""
    configs = directory / "configs"
    configs.mkdir()
    manifests.local(configs, "files", directory)
    with running_sidecar(configs) as sidecar:
        with Client(sidecar.endpoint) as client:
            client.apply(CONFIG, NAME, {"token": b"t" * 900})
        plugin = (PROGRAM, "exec-credential", CONFIG, NAME, "--endpoint", sidecar.endpoint)
        empty = (sys.executable, "-c", "pass")
        pairs = [(_timed(plugin), _timed(empty)) for _ in range(rounds * RUNS_A_ROUND + 1)][1:]
    ours, floor = zip(*pairs, strict=True)
    table.add("exec-credential from start to answer", _median(run.wall for run in ours), "ms", 300)
    table.add("exec-credential from start to answer, fastest", min(run.wall for run in ours), "ms")
    table.add("an empty Python process", _median(run.wall for run in floor), "ms")
    more = _median(one.wall - other.wall for one, other in pairs)
    table.add("exec-credential over an empty Python process", more, "ms")
    table.add(
        "CPU of exec-credential over an empty Python process",
        _median(one.cpu - other.cpu for one, other in pairs),
        "ms",
        150,
    )


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _timed(command: Sequence[str]) -> Run:
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Run(wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3)
