"""A sidecar with a hub, and plugins that are processes of their own."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from tests.support.local_plugin import API_VERSION, KIND, config, running_plugin
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

FILES = ConfigReference(API_VERSION, KIND, "files")


@dataclass
class Bench:
    """A sidecar that listens for plugins at `hub`."""

    sidecar: SidecarProcess
    client: Client
    hub: str
    directory: Path
    control: Path
    plugin: Callable[..., AbstractContextManager[subprocess.Popen[bytes]]]

    def put(self, key: str) -> None:
        self.client.apply(FILES, "team/db", {key: b"v"})

    def keys(self) -> set[str]:
        return set(self.client.get(FILES, "team/db").data)

    def error(self) -> StorePluginError | None:
        """What a get fails with."""
        try:
            self.client.get(FILES, "team/db")
        except StorePluginError as error:
            return error
        return None

    def works(self) -> bool:
        return self.error() is None

    def wait_until_it_works(self) -> None:
        eventually(self.works)

    def connected(self) -> int:
        return int(self.metric("store_plugin_plugins_connected"))

    def metric(self, name: str) -> float:
        lines = [line.rpartition(" ") for line in self.sidecar.http("/metrics").splitlines()]
        found = [float(value) for series, _, value in lines if series.partition("{")[0] == name]
        assert found, name
        return sum(found)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    configs = tmp_path / "configs"
    configs.mkdir()
    config(configs, "files", tmp_path)
    hub = f"unix://{tmp_path}/hub.sock"
    arguments = ("--hub-listen", hub, "--hub-plugin-groups", "*.example.org", "--hub-heartbeat", "1")
    control = tmp_path / "control.sock"
    arguments += ("--control-socket", str(control))
    with running_sidecar(configs, *arguments) as sidecar, Client(sidecar.endpoint, timeout=30) as client:
        plugin = partial(running_plugin, hub, tmp_path / "plugin.log")
        yield Bench(sidecar, client, hub, tmp_path, control, plugin)
