"""What goes wrong around plugins that a sidecar runs, with the sidecar and the commands as processes."""

import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from tests.support.desk import Desk, executable
from tests.support.local_plugin import API_VERSION, KIND, NAME, config
from tests.support.processes import alive
from tests.support.set_clock import SetClock
from tests.support.sidecar import PROGRAM, running_sidecar
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)  # many processes, one after the other
FILES = ConfigReference(API_VERSION, KIND, "files")
DATA = {"password": b"sesame"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory = tmp_path / "configs"
    directory.mkdir()
    config(directory, "files", tmp_path)
    return directory


def served(client: Client) -> bool:
    try:
        client.get(FILES, "team/db")
    except StorePluginError:
        return False
    return True


def test_a_killed_sidecar_leaves_no_process_behind_and_its_state_whole(desk: Desk, configs: Path) -> None:
    options = ("--plugins-dir", str(desk.plugins), "--hub-plugin-groups", "*.example.org")
    desk.introduce("1.0")
    desk.run("plugin", "enable", NAME)
    with running_sidecar(configs, *options) as sidecar, Client(sidecar.endpoint, timeout=10) as client:
        eventually(lambda: served(client), within=60)
        assert client.apply(FILES, "team/db", DATA).changed
        below = [process.pid for process in psutil.Process(sidecar.pid).children(recursive=True)]
        assert len(below) == 3  # the guard, the keeper and the plugin
        sidecar.kill()
        eventually(lambda: not any(map(alive, below)), within=10)
    assert "the chain holds" in desk.run("audit", "verify")
    with running_sidecar(configs, *options) as sidecar, Client(sidecar.endpoint, timeout=10) as client:
        eventually(lambda: served(client), within=60)
        assert client.get(FILES, "team/db").data == DATA


def test_of_two_who_register_a_version_at_once_one_is_told_that_it_is_there(desk: Desk) -> None:
    said = desk.run("plugin", "install", str(executable(desk.directory, "1.0")))
    digest = re.search(r"[0-9a-f]{64}", said)
    assert digest
    command = [PROGRAM, "plugin", "register", digest[0], "--plugins-dir", str(desk.plugins)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    told = {process.communicate(timeout=60)[0]: process.returncode for process in both}
    (refused,) = (text for text, code in told.items() if code != 0)
    assert f"{NAME} 1.0 is registered".encode() in refused
    assert [event for event in desk.events() if event == "register"] == ["register"]


def test_one_that_is_left_alone_is_told_by_metrics_log_and_status(desk: Desk, configs: Path) -> None:
    options = ("--plugins-dir", str(desk.plugins), "--hub-plugin-groups", "*.example.org")
    desk.introduce("1.0", before='if "--describe" not in sys.argv: sys.exit(7)')
    desk.run("plugin", "enable", NAME)
    with running_sidecar(configs, *options) as sidecar:
        series = f'store_plugin_managed_plugins{{plugin="{NAME}",state="Broken"}} 1.0'
        eventually(lambda: series in sidecar.http("/metrics"), within=60)
        restarts = f'store_plugin_managed_plugin_restarts_total{{plugin="{NAME}"}} 5.0'
        assert restarts in sidecar.http("/metrics")
        status = desk.run("plugin", "status", NAME)
        assert "it exited with 7" in status
        assert f"'plugin restart {NAME}' starts it now" in status
    assert "plugin is left alone" in sidecar.log
    assert desk.events().count("circuit-open") == 1


def test_a_sidecar_that_requires_signatures_runs_nothing_else(desk: Desk, configs: Path) -> None:
    """And nothing else is registered from then on."""
    options = ("--plugins-dir", str(desk.plugins), "--hub-plugin-groups", "*.example.org")
    desk.introduce("1.0")
    desk.run("plugin", "enable", NAME)
    for _ in range(2):
        with running_sidecar(configs, *options, "--plugins-require-signature"):
            eventually(lambda: "signatures are required" in desk.run("plugin", "status", NAME), within=60)
    recorded = desk.run("audit", "tail", "-n", "1000")
    assert recorded.count("require-signature") == 1
    assert "start" not in desk.events()
    assert "signed plugins only" in desk.run("plugin", "install", str(desk.directory / "files-1.0"), expect=1)


CALLERS = 8


@contextmanager
def steady_reads(endpoint: str) -> Iterator[list[Exception]]:
    """Callers that read until the block ends, and what failed of that."""
    over, failed = threading.Event(), list[Exception]()
    reading = threading.Barrier(CALLERS + 1)

    def read() -> None:
        with Client(endpoint, timeout=30) as client:
            client.get(FILES, "team/db")
            reading.wait(60)
            while not over.wait(0.01):
                try:
                    assert client.get(FILES, "team/db").data == DATA
                except Exception as error:
                    failed.append(error)

    with ThreadPoolExecutor(CALLERS) as callers:
        for _ in range(CALLERS):
            callers.submit(read)
        reading.wait(60)
        try:
            yield failed
        finally:
            over.set()


def test_no_read_fails_while_one_version_is_rolled_back_and_another_takes_over(
    desk: Desk, configs: Path
) -> None:
    options = ("--plugins-dir", str(desk.plugins), "--hub-plugin-groups", "*.example.org")
    for version in ("1.0", "2.0"):
        desk.introduce(version)
    desk.introduce("3.0", broken=True)
    desk.run("plugin", "enable", NAME, "1.0")
    with running_sidecar(configs, *options) as sidecar, Client(sidecar.endpoint, timeout=10) as client:
        eventually(lambda: served(client), within=60)
        client.apply(FILES, "team/db", DATA)
        with steady_reads(sidecar.endpoint) as failed:
            assert "1.0 runs on" in desk.run("plugin", "enable", NAME, "3.0", "--wait", expect=1)
            assert "2.0 is ready" in desk.run("plugin", "enable", NAME, "2.0", "--wait")
            eventually(lambda: "exit" in desk.events(), within=60)
        assert failed == []


HOUR = 3600


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_no_read_fails_while_the_clock_jumps_by_an_hour_and_back(
    desk: Desk, configs: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """The clock of a node: the sidecar, its plugins and the commands see it jump. After each jump a
    version takes over, which enrols by a token and a certificate of the new time."""
    clock = SetClock(desk.directory)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    options = ("--plugins-dir", str(desk.plugins), "--hub-plugin-groups", "*.example.org")
    for version in ("1.0", "2.0"):
        desk.introduce(version, before=clock.preload)
    desk.run("plugin", "enable", NAME, "1.0")
    with running_sidecar(configs, *options) as sidecar, Client(sidecar.endpoint, timeout=10) as client:
        eventually(lambda: served(client), within=60)
        client.apply(FILES, "team/db", DATA)
        with steady_reads(sidecar.endpoint) as failed:
            clock.ahead(jump)
            assert "2.0 is ready" in desk.run("plugin", "enable", NAME, "2.0", "--wait")
            clock.ahead(0)
            assert "1.0 is ready" in desk.run("plugin", "enable", NAME, "1.0", "--wait")
        assert failed == []
        assert sidecar.stop() == 0
    ahead = [seconds_ahead(record) for record in desk.records() if record["event"] == "enrol"]
    assert [round(seconds / HOUR) for seconds in ahead] == [0, jump // HOUR, 0]
    assert desk.events().count("crash") == 0
    assert "the chain holds" in desk.run("audit", "verify")


def seconds_ahead(record: dict[str, str]) -> float:
    """By how much the time of a record of the last minutes was wrong."""
    return (datetime.fromisoformat(record["time"]) - datetime.now(UTC)) / timedelta(seconds=1)
