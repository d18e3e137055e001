"""`make bench BENCH_ARGS=--access`: what a consumer of ClusterProfiles costs beside the plugins it
runs. No cluster is asked."""

import asyncio
import statistics
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from bench.figures import Table
from store_plugin.access import AccessConfig
from store_plugin.access.exec_credential import EXEC_INFO, ExecInfo, info_text
from store_plugin.access.execution.runner import ExecCall, Runner
from store_plugin.access.planning import ARGUMENTS_EXTENSION, CONFIG_EXTENSION, VARIABLES_EXTENSION
from tests.support.certificates import CertificateAuthority
from tests.support.exec_plugins import ExecPlugin, access_file, profile, provider

PROFILES = 1_000
USERS = 100
RUNS_A_ROUND = 20
VERSION = "client.authentication.k8s.io/v1"


def access(table: Table, directory: Path, rounds: int) -> None:
    """All figures."""
    plugin = ExecPlugin(directory)
    plugin.answers("t" * 900)
    entry = provider(
        plugin.path,
        provideClusterInfo=True,
        profileSourcedCLIArgsPolicy="Append",
        profileSourcedEnvVarsPolicy="Replace",
    )
    file = access_file(directory, entry)
    building(table, file, rounds)
    assert plugin.runs == 0
    crowd(table, file, plugin)
    one_run(table, plugin, rounds)


def building(table: Table, file: Path, rounds: int) -> None:
    """Configurations of a fleet, each profile with all that one can bring along."""
    authority = b64encode(CertificateAuthority.create().pem).decode()
    found = [
        profile(
            f"member-{number}",
            server=f"https://member-{number}.example.com:6443",
            extensions={
                CONFIG_EXTENSION: {"audience": f"a-{number}"},
                ARGUMENTS_EXTENSION: ["--zone", f"z-{number}"],
                VARIABLES_EXTENSION: {"CLIENT_ID": f"c-{number}"},
            },
            **{"certificate-authority-data": authority},
        )
        for number in range(PROFILES)
    ]

    for name, build in (("threads", AccessConfig.build_config), ("asyncio", AccessConfig.build_aio_config)):
        walls, cpus = [], []
        for _ in range(rounds):
            with AccessConfig.from_file(file) as config:
                wall, cpu = time.perf_counter(), time.process_time()
                for one in found:
                    build(config, one)
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
        table.add(f"{PROFILES:,} profiles built, {name}, fastest of {rounds}", min(walls), "s", 1.0)
        table.add(f"CPU of building {PROFILES:,} profiles, {name}", statistics.median(cpus), "s", 1.0)


def crowd(table: Table, file: Path, plugin: ExecPlugin) -> None:
    """Users of one cluster who all begin at once, half of them threads and half coroutines."""
    began = plugin.runs
    half = USERS // 2
    start = Barrier(half + 1)
    with AccessConfig.from_file(file) as config, ThreadPoolExecutor(half + 1) as threads:

        def user() -> None:
            made = config.build_config(profile())
            start.wait()
            assert made.get_api_key_with_prefix("BearerToken")

        async def users() -> None:
            made = [config.build_aio_config(profile()) for _ in range(half)]
            await asyncio.to_thread(start.wait)
            assert all(await asyncio.gather(*(one.get_api_key_with_prefix("BearerToken") for one in made)))

        waiting = [threads.submit(user) for _ in range(half)]
        asyncio.run(users())
        for one in waiting:
            one.result()
    table.add(f"runs of the plugin for {USERS} users at once", plugin.runs - began, "", 1)


def one_run(table: Table, plugin: ExecPlugin, rounds: int) -> None:
    """A run, against the same program started by `subprocess` alone, in turns."""
    info = ExecInfo(VERSION)
    environ = {"PATH": "/usr/bin:/bin"}
    call = ExecCall("bench", str(plugin.path), (), environ, info)
    runner = Runner()

    def bare() -> None:
        subprocess.run(
            [plugin.path], env={**environ, EXEC_INFO: info_text(info)}, capture_output=True, check=True
        )

    pairs = [(_ms(lambda: runner.run(call)), _ms(bare)) for _ in range(rounds * RUNS_A_ROUND + 1)][1:]
    table.add(
        "one run of a plugin that is a shell script", statistics.median(ours for ours, _ in pairs), "ms"
    )
    more = statistics.median(ours - floor for ours, floor in pairs)
    table.add("the same, over the script alone", more, "ms")


def _ms(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3
