"""The whole life of a plugin, with the commands and the sidecar as their users have them: installed,
registered, enabled, used, crashed, updated, rolled back, disabled, removed, and all of it recorded."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from tests.support.desk import Desk, executable
from tests.support.local_plugin import API_VERSION, KIND, NAME, config
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)  # many processes, one after the other
FILES = ConfigReference(API_VERSION, KIND, "files")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def sidecar(desk: Desk) -> Iterator[SidecarProcess]:
    configs = desk.directory / "configs"
    configs.mkdir()
    config(configs, "files", desk.directory)
    arguments = ("--plugins-dir", str(desk.plugins), "--hub-plugin-groups", "*.example.org")
    arguments += ("--plugins-cert-life", "2")
    with running_sidecar(configs, *arguments) as sidecar:
        yield sidecar


def shown(sidecar: SidecarProcess) -> list[dict[str, object]]:
    return list(json.loads(sidecar.http("/plugins")))


def certificate_life(desk: Desk) -> timedelta:
    """Of the newest certificate, to the minute."""
    (enrol,) = (record for record in desk.records() if record["event"] == "enrol")
    life = datetime.fromisoformat(enrol["not_after"]) - datetime.fromisoformat(enrol["time"])
    return timedelta(minutes=round(life / timedelta(minutes=1)))


def test_a_whole_life(desk: Desk, sidecar: SidecarProcess) -> None:
    with Client(sidecar.endpoint, timeout=10) as client:

        def works() -> bool:
            try:
                return client.get(FILES, "team/db").data is not None
            except StorePluginError:
                return False

        desk.introduce("1.0")
        desk.run("plugin", "enable", NAME, "1.0", "--wait")
        assert certificate_life(desk) == timedelta(hours=2)
        eventually(works, within=60)
        assert client.apply(FILES, "team/db", {"password": b"sesame"}).changed
        assert client.get(FILES, "team/db").data == {"password": b"sesame"}

        psutil.Process(desk.shown("plugin", "status", NAME)["pid"]).kill()
        eventually(lambda: "crash" in desk.events(), within=30)
        eventually(works, within=60)
        assert desk.shown("plugin", "status", NAME)["restarts"] == 1
        before = desk.shown("plugin", "status", NAME)["instance"]
        desk.run("plugin", "restart", NAME, "--wait")
        assert desk.shown("plugin", "status", NAME)["instance"] != before
        eventually(works, within=60)

        desk.run("plugin", "update", NAME, str(executable(desk.directory, "2.0")), "--wait")
        assert client.get(FILES, "team/db").data == {"password": b"sesame"}

        broken = executable(desk.directory, "3.0", broken=True, before='print("broken", flush=True)')
        told = desk.run("plugin", "update", NAME, str(broken), "--wait", expect=1)
        assert "the files are not there" in told
        assert "broken" in desk.run("plugin", "logs", NAME)
        (listed,) = desk.shown("plugin", "list")
        assert (listed["version"], listed["state"], listed["enabled"]) == ("2.0", "Ready", "2.0")
        assert client.get(FILES, "team/db").data == {"password": b"sesame"}
        assert {"updated", "roll-back"} < set(desk.events())
        noted = [record["keys"] for record in desk.records() if record["event"] == "call"]
        assert noted
        assert all(keys == ["files-looked-at"] for keys in noted)

        desk.run("plugin", "disable", NAME)
        eventually(lambda: not works(), within=60)
        desk.run("plugin", "remove", NAME)
        assert "records" in desk.run("audit", "verify")
