"""The example of a backend behind the real sidecar, as its README runs it."""

import sys
from pathlib import Path

import pytest
import yaml

from store_plugin.client import Client
from store_plugin.errors import ConfigInvalid, NotOwner, PluginDisconnected
from tests.support.processes import running_program
from tests.support.sidecar import running_sidecar
from tests.support.waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "store-backend"
CONFIG = "backends.example.org/v1/FolderConfig/folder"
NAME = "team-a/database"


def connected(client: Client) -> bool:
    try:
        client.get(CONFIG, NAME)
    except (PluginDisconnected, ConfigInvalid):  # not any more, or not yet
        return False
    return True


def test_a_client_publishes_through_the_plugin(tmp_path: Path) -> None:
    folder, configs = tmp_path / "folder", tmp_path / "configs"
    folder.mkdir()
    configs.mkdir()
    manifest = yaml.safe_load((EXAMPLE / "folder.yaml").read_text())
    manifest["spec"]["directory"] = str(folder)
    (configs / "folder.yaml").write_text(yaml.safe_dump(manifest))
    hub = f"unix://{tmp_path}/hub.sock"
    options = ("--hub-listen", hub, "--hub-plugin-groups", "backends.example.org")
    command = [sys.executable, str(EXAMPLE / "folder_backend.py"), "--hub", hub]
    with running_sidecar(configs, *options) as sidecar, Client(sidecar.endpoint) as client:
        with running_program(command, tmp_path / "first.log"):
            eventually(lambda: connected(client), 30)
            assert client.apply(CONFIG, NAME, {"password": b"s3cret"}, owner="uid").changed
            assert not client.apply(CONFIG, NAME, {"password": b"s3cret"}, owner="uid").changed
            assert client.apply(CONFIG, NAME, {"port": b"5432"}, owner="uid").changed
            with pytest.raises(NotOwner):
                client.apply(CONFIG, NAME, {"password": b"theirs"}, owner="other")
            assert client.get(CONFIG, NAME).data == {"password": b"s3cret", "port": b"5432"}
            assert [path.suffix for path in folder.iterdir() if path.name != "lock"] == [".json"]
        eventually(lambda: not connected(client), 30)
        with running_program(command, tmp_path / "second.log"):
            eventually(lambda: connected(client), 30)
            assert client.get(CONFIG, NAME).data["password"] == b"s3cret"
            client.delete_keys(CONFIG, NAME, ["password", "port"], owner="uid")
            assert client.get(CONFIG, NAME).data == {}
