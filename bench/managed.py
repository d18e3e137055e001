"""Plugins that a sidecar runs: how soon one serves, how soon it does again, and what callers notice
of an update. The plugin is the example of a store backend, built as its users build it."""

import asyncio
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from bench.figures import Table
from store_plugin.client import AsyncClient
from store_plugin.errors import StorePluginError
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.layout import Layout
from tests.support.sidecar import PROGRAM, SidecarProcess, running_sidecar

EXAMPLE = Path(__file__).parents[1] / "examples" / "store-backend"
PLUGIN, CONFIG = "folder", "backends.example.org/v1/FolderConfig/folder"
VERSIONS = ("1.0", "2.0")
NAME, DATA = "bench/db", {"password": b"x" * 40}
CALLERS = 8
CALM_SECONDS = 10.0
_POLL_SECONDS = 0.01
_PATIENCE = 60.0


def managed(table: Table, directory: Path, rounds: int) -> None:
    """All figures."""
    with _desk(directory) as desk:
        asyncio.run(_measured(table, desk, rounds))


async def _measured(table: Table, desk: "Desk", rounds: int) -> None:
    async with AsyncClient(desk.sidecar.endpoint, timeout=30) as client:
        starts, restarts = [], []
        for _ in range(rounds):
            starts.append(await _start(desk, client))
            restarts.append(await _crash(desk, client))
            await desk.disable()
        await _start(desk, client)
        updates = [await _update(desk, client, VERSIONS[(number + 1) % 2]) for number in range(rounds)]
        left = await _killed(desk)
    table.add(f"verified start to first served call, median of {rounds}", statistics.median(starts), "s", 1.5)
    table.add(f"crash to first served call, median of {rounds}", statistics.median(restarts), "s", 2.0)
    table.add("verified start and crash to first served call, worst", max(starts + restarts), "s")
    calls, failed = sum(one.calls for one in updates), sum(one.failed for one in updates)
    table.add(f"calls that failed in {rounds} updates under {CALLERS} callers, of {calls}", failed, "", 0)
    table.add("duration of such an update", statistics.median(one.seconds for one in updates), "s")
    table.add("p99 of a call before the update", statistics.median(one.before for one in updates), "ms")
    table.add("p99 of a call during the update", statistics.median(one.during for one in updates), "ms")
    ratio = statistics.median(one.during / one.before for one in updates)
    table.add("p99 during the update / before", ratio, "x", 3.0)
    table.add("a killed sidecar to the end of its last plugin process", left, "s", 1.0)


@dataclass(frozen=True, slots=True)
class Update:
    """What callers noticed of one; p99 in milliseconds."""

    calls: int
    failed: int
    seconds: float
    before: float
    during: float


@dataclass(slots=True)
class Desk:
    """A sidecar with its plugins directory, and the commands on it."""

    layout: Layout
    sidecar: SidecarProcess

    async def enable(self, version: str) -> None:
        await self._run("enable", PLUGIN, version)

    async def disable(self) -> None:
        seen = self.events("exit")
        await self._run("disable", PLUGIN)
        while len(self.events("exit")) == len(seen):
            await asyncio.sleep(_POLL_SECONDS)

    def events(self, event: str) -> list[float]:
        """When something happened to the plugin, in seconds since 1970."""
        records = map(json.loads, AuditLog(self.layout.audit).lines())
        return [datetime.fromisoformat(one["time"]).timestamp() for one in records if one["event"] == event]

    def process(self) -> psutil.Process:
        """The plugin's own one, below its keeper."""
        (found,) = (
            one for one in psutil.Process(self.sidecar.pid).children(recursive=True) if not one.children()
        )
        return found

    async def _run(self, *arguments: str) -> None:
        await asyncio.to_thread(_store_plugin, *arguments, "--plugins-dir", str(self.layout.root))


async def _start(desk: Desk, client: AsyncClient) -> float:
    """Seconds from the record that it is being started, which is written before its digest is
    checked, to the first call that is served."""
    seen = len(desk.events("start"))
    await desk.enable(VERSIONS[0])
    await _served(client)
    served = time.time()
    return served - desk.events("start")[seen]


async def _crash(desk: Desk, client: AsyncClient) -> float:
    """Seconds from the end of a process to the first call that the next one serves."""
    process = desk.process()
    process.kill()
    begun = time.perf_counter()
    await asyncio.to_thread(process.wait, _PATIENCE)
    await _served(client)
    return time.perf_counter() - begun


async def _killed(desk: Desk) -> float:
    """Seconds from `kill -9` of the sidecar until nothing that it had started is there."""
    below = psutil.Process(desk.sidecar.pid).children(recursive=True)
    begun = time.perf_counter()
    desk.sidecar.process.kill()
    async with asyncio.timeout(_PATIENCE):
        while any(map(_runs, below)):
            await asyncio.sleep(0.005)
    return time.perf_counter() - begun


def _runs(process: psutil.Process) -> bool:
    """What has ended may be listed for a while, until somebody asks how."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _served(client: AsyncClient) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                await client.apply(CONFIG, NAME, DATA)
                return
            except StorePluginError:
                await asyncio.sleep(_POLL_SECONDS)


async def _update(desk: Desk, client: AsyncClient, version: str) -> Update:
    """From the command that enables another version to the end of the process that was replaced."""
    load, exits = _Load(client), len(desk.events("exit"))
    async with _callers(load):
        await asyncio.sleep(CALM_SECONDS)
        begun = time.perf_counter()
        await desk.enable(version)
        async with asyncio.timeout(_PATIENCE):
            while len(desk.events("exit")) == exits:
                await asyncio.sleep(0.05)
        ended = time.perf_counter()
    before, during = load.p99(0.0, begun), load.p99(begun, ended)
    return Update(len(load.calls), load.failed, ended - begun, before, during)


@dataclass(slots=True)
class _Load:
    """Calls of several callers, each with its beginning and its length in seconds."""

    client: AsyncClient
    calls: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0
    over: bool = False

    async def caller(self) -> None:
        while not self.over:
            begun = time.perf_counter()
            try:
                assert (await self.client.get(CONFIG, NAME)).data == DATA
            except StorePluginError:
                self.failed += 1
            self.calls.append((begun, time.perf_counter() - begun))

    def p99(self, since: float, until: float) -> float:
        lengths = sorted(length for begun, length in self.calls if since <= begun < until)
        return 1000 * lengths[int(len(lengths) * 0.99)]


@asynccontextmanager
async def _callers(load: _Load) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(load.caller())
        try:
            yield
        finally:
            load.over = True


@contextmanager
def _desk(directory: Path) -> Iterator[Desk]:
    """Both versions registered, and a sidecar that runs what is enabled."""
    layout = Layout(directory / "plugins")
    for version in VERSIONS:
        file = _built(directory, version)
        for command in ("install", "register"):
            _store_plugin(command, str(file), "--plugins-dir", str(layout.root))
    configs, folder = directory / "configs", directory / "folder"
    configs.mkdir()
    folder.mkdir()
    manifest = (EXAMPLE / "folder.yaml").read_text().replace("/var/lib/folder", str(folder))
    (configs / "folder.yaml").write_text(manifest)
    options = ("--plugins-dir", str(layout.root), "--hub-plugin-groups", "backends.example.org")
    with running_sidecar(configs, *options) as sidecar:
        yield Desk(layout, sidecar)


def _built(directory: Path, version: str) -> Path:
    """The example as one file, as if it were of that version."""
    project, file = directory / f"source-{version}", directory / f"{PLUGIN}-{version}.pyz"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "folder_backend.py"):
        text = (project / name).read_text()
        (project / name).write_text(text.replace(f'"{VERSIONS[0]}"', f'"{version}"'))
    _store_plugin("build", str(project), "--to", str(file))
    return file


def _store_plugin(*arguments: str) -> None:
    subprocess.run([PROGRAM, "plugin", *arguments], check=True, capture_output=True, timeout=_PATIENCE)
