"""What a sidecar tells of its plugins."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sidecar.hub.conftest import Bench
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

EVENTS = "store_plugin_hub_events_total"


def test_the_page_lists_the_plugins_connected_now(bench: Bench) -> None:
    assert json.loads(bench.sidecar.http("/plugins")) == {"plugins": []}
    with bench.plugin(version="1.2", instance="one"):
        eventually(lambda: bench.connected() == 1)
        (shown,) = json.loads(bench.sidecar.http("/plugins"))["plugins"]
    assert (shown["name"], shown["version"], shown["instance"]) == ("files", "1.2", "one")
    assert shown["kinds"] == ["FilesConfig (files.example.org/v1)"]
    assert shown["in_flight"] == 0
    assert shown["silent_for"] < 60
    eventually(lambda: json.loads(bench.sidecar.http("/plugins")) == {"plugins": []})


def test_events_are_counted(bench: Bench) -> None:
    with bench.plugin():
        eventually(lambda: f'{EVENTS}{{event="ready"}} 1.0' in bench.sidecar.http("/metrics"))
    eventually(lambda: f'{EVENTS}{{event="gone"}} 1.0' in bench.sidecar.http("/metrics"))
    assert f'{EVENTS}{{event="refused"}}' not in bench.sidecar.http("/metrics")


def test_a_sidecar_without_a_hub_has_no_page_for_plugins(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    with running_sidecar(tmp_path / "configs") as sidecar:
        assert "404" in sidecar.http("/plugins")
        assert "plugins_connected" not in sidecar.http("/metrics")


def test_the_hub_is_imported_only_where_plugins_may_come() -> None:
    program = "import sys, store_plugin.sidecar.app, store_plugin.cli.serve; print(*sys.modules, sep='\\n')"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(output.stdout.splitlines())
    assert "store_plugin.sidecar.hub.settings" in loaded
    assert not {name for name in loaded if name.startswith(("store_plugin.hub", "jsonschema"))}


@pytest.fixture
def stopped(bench: Bench) -> SidecarProcess:
    with bench.plugin():
        eventually(lambda: bench.connected() == 1)
        assert bench.sidecar.stop() == 0
    return bench.sidecar


def test_plugins_hear_of_the_end_and_nothing_is_left(stopped: SidecarProcess, bench: Bench) -> None:
    assert stopped.log.index('"event": "stopping"') < stopped.log.index("its stream was drained")
    assert "Task was destroyed" not in stopped.log
    assert "Traceback" not in stopped.log
