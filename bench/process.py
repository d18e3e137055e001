"""Processes under measurement: started, watched, ended by pid."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of a load measured; latencies in milliseconds."""

    calls: int
    seconds: float
    p50: float
    p99: float
    server_cpu: float
    """CPU milliseconds that the watched server spent per call."""

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


def run_load(load: str, target: str, server: psutil.Process, *, token: str = "", **options: object) -> Load:
    """One run of `bench.load` against `target`, with the CPU time of `server` meanwhile."""
    arguments = [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
    before = _cpu(server)
    ended = subprocess.run(
        [sys.executable, "-m", "bench.load", load, target, *arguments],
        env={**os.environ, "BENCH_TOKEN": token},
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    spent = _cpu(server) - before
    measured = json.loads(ended.stdout)
    all_calls = measured.pop("all_calls")
    return Load(**measured, server_cpu=1000 * spent / all_calls)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def background(*command: str, token: str = "") -> Iterator[psutil.Process]:
    """A child process, ended at the end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "BENCH_TOKEN": token})
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def resident_mb(process: psutil.Process) -> float:
    """Resident memory in MB."""
    return process.memory_info().rss / 1e6


def seconds_until(condition: object, within: float = 20.0) -> float:
    """Seconds until `condition()` holds."""
    start = time.perf_counter()
    while not condition():  # type: ignore[operator]
        if time.perf_counter() - start > within:
            raise TimeoutError("the process did not become ready")
        time.sleep(0.002)
    return time.perf_counter() - start
