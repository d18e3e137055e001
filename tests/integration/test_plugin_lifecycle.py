"""The whole life of a plugin, with the commands and the sidecar as their users have them: installed,
registered, enabled, used, crashed, updated, rolled back, disabled, removed, and all of it recorded."""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from tests.support.local_plugin import API_VERSION, KIND, NAME, ROOT, config
from tests.support.sidecar import PROGRAM, SidecarProcess, running_sidecar
from tests.support.waiting import eventually

FILES = ConfigReference(API_VERSION, KIND, "files")
PLUGIN = """\
import sys
sys.path[:0] = {paths!r}
from store_plugin.errors import StoreUnavailable
from store_plugin.plugin import Plugin
from stores.local import factory

plugin = Plugin({name!r}, {version!r})
plugin.serve_store(factory, api_version={api_version!r}, kind={kind!r})

@plugin.on_check
async def check():
    if {broken!r}:
        raise StoreUnavailable("the files are not there")

plugin.main()
"""


def executable(directory: Path, version: str, *, broken: bool = False) -> Path:
    paths = [str(ROOT), *[path for path in sys.path if "site-packages" in path]]
    text = PLUGIN.format(
        paths=paths, name=NAME, version=version, api_version=API_VERSION, kind=KIND, broken=broken
    )
    path = directory / f"files-{version}"
    path.write_text(f"#!{sys.executable} -S\n{textwrap.dedent(text)}")
    path.chmod(0o755)
    return path


class Desk:
    """A person at the command line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plugins = directory / "plugins"

    def run(self, *arguments: str, expect: int = 0) -> str:
        command = [PROGRAM, *arguments, "--plugins-dir", str(self.plugins)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == expect, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout + ended.stderr

    def introduce(self, version: str, *, broken: bool = False) -> None:
        """Install and register a version."""
        said = self.run("plugin", "install", str(executable(self.directory, version, broken=broken)))
        digest = re.search(r"[0-9a-f]{64}", said)
        assert digest, said
        self.run("plugin", "register", digest[0])

    def events(self) -> list[str]:
        said = self.run("audit", "tail", "--raw", "-n", "1000")
        return [record["event"] for record in map(json.loads, said.splitlines()) if record["plugin"] == NAME]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def sidecar(desk: Desk) -> Iterator[SidecarProcess]:
    configs = desk.directory / "configs"
    configs.mkdir()
    config(configs, "files", desk.directory)
    arguments = ("--plugins-dir", str(desk.plugins), "--hub-plugin-groups", "*.example.org")
    with running_sidecar(configs, *arguments) as sidecar:
        yield sidecar


def shown(sidecar: SidecarProcess) -> list[dict[str, object]]:
    return list(json.loads(sidecar.http("/plugins")))


def test_a_whole_life(desk: Desk, sidecar: SidecarProcess) -> None:
    with Client(sidecar.endpoint, timeout=10) as client:

        def works() -> bool:
            try:
                return client.get(FILES, "team/db").data is not None
            except StorePluginError:
                return False

        desk.introduce("1.0")
        desk.run("plugin", "enable", NAME, "1.0")
        eventually(works, within=60)
        assert client.apply(FILES, "team/db", {"password": b"sesame"}).changed
        assert client.get(FILES, "team/db").data == {"password": b"sesame"}

        (running,) = (p for p in psutil.Process(sidecar.pid).children(recursive=True) if not p.children())
        running.kill()
        eventually(lambda: "crash" in desk.events(), within=30)
        eventually(works, within=60)

        desk.introduce("2.0")
        desk.run("plugin", "enable", NAME, "2.0")
        eventually(lambda: "updated" in desk.events(), within=60)
        assert client.get(FILES, "team/db").data == {"password": b"sesame"}

        desk.introduce("3.0", broken=True)
        desk.run("plugin", "enable", NAME, "3.0")
        eventually(lambda: "roll-back" in desk.events(), within=60)
        assert client.get(FILES, "team/db").data == {"password": b"sesame"}
        assert "2.0" in desk.run("plugin", "available")

        desk.run("plugin", "disable", NAME)
        eventually(lambda: not works(), within=60)
        desk.run("plugin", "remove", NAME)
        assert "records" in desk.run("audit", "verify")
