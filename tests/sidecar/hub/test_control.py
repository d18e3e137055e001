"""What commands learn from a running sidecar over its control socket."""

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from store_plugin.cli._control import connected
from store_plugin.errors import InvalidRequest, NotReachable
from tests.sidecar.hub.conftest import Bench
from tests.support.local_plugin import config
from tests.support.sidecar import PROGRAM, running_sidecar
from tests.support.waiting import eventually

HEALTH = "grpc.health.v1.Health/Check"


def command(
    *arguments: str, socket: Path | None = None, of: str = "plugins"
) -> "subprocess.CompletedProcess[str]":
    named = ("--control-socket", str(socket)) if socket else ()
    return subprocess.run([PROGRAM, of, *arguments, *named], capture_output=True, text=True, timeout=100)


@pytest.fixture
def plugged(bench: Bench) -> Iterator[Bench]:
    with bench.plugin(version="1.2", instance="one"):
        eventually(lambda: bench.connected() == 1)
        yield bench


def test_the_socket_is_its_owners_alone_and_goes_with_the_sidecar(bench: Bench) -> None:
    assert stat.S_IMODE(bench.control.stat().st_mode) == 0o600
    bench.sidecar.stop()
    assert not bench.control.exists()


def test_the_status_of_a_sidecar(plugged: Bench) -> None:
    with connected(plugged.control) as control:
        status = control.status()
    assert status.serving
    assert status.plugins == 1
    assert list(status.listening) == [plugged.sidecar.endpoint]
    assert [count.kind for count in status.configs] == ["FilesConfig"]


def test_the_status_as_a_table_and_for_programs(plugged: Bench) -> None:
    plugged.wait_until_it_works()
    table = command(socket=plugged.control, of="status").stdout
    assert f"listening          {plugged.sidecar.endpoint}" in table
    assert ["plugins", "connected", "1"] in [line.split() for line in table.splitlines()]
    assert ["FilesConfig", "Ready", "1"] in [line.split() for line in table.splitlines()]
    assert "doctor" not in command(socket=plugged.control, of="status").stderr
    document = json.loads(command("-o", "json", socket=plugged.control, of="status").stdout)
    assert document["serving"] is True
    assert document["configs"] == [{"kind": "FilesConfig", "state": "Ready", "number": 1}]
    assert "logLevel: info" in command("-o", "yaml", socket=plugged.control, of="status").stdout


def test_people_are_told_where_to_look_for_what_is_not_ready(bench: Bench) -> None:
    """And that no plugin is there, which is why."""
    shown = command(socket=bench.control, of="status")
    assert ["FilesConfig", "Invalid", "1"] in [line.split() for line in shown.stdout.splitlines()]
    assert "'store-plugin doctor'" in shown.stderr
    assert "no plugin is connected" in command(socket=bench.control).stderr


def test_plugins_as_a_table_and_for_programs(plugged: Bench) -> None:
    table = command(socket=plugged.control).stdout.splitlines()
    assert table[0].split()[:4] == ["NAME", "VERSION", "INSTANCE", "IDENTITY"]
    assert table[1].split()[:4] == ["files", "1.2", "one", "-"]
    (document,) = json.loads(command("-o", "json", socket=plugged.control).stdout)
    assert document["kinds"] == ["FilesConfig (files.example.org/v1)"]
    assert document["inFlight"] == 0
    assert "name: files" in command("list", "-o", "yaml", socket=plugged.control).stdout


def test_a_method_is_called_by_what_the_plugin_tells_of_itself(plugged: Bench) -> None:
    called = command("call", "files", HEALTH, "{}", socket=plugged.control)
    assert json.loads(called.stdout) == {"status": "SERVING"}, called.stderr


WRONG_CALLS = {
    "no such method": (("files", "Fly"), 1, "has no method Fly; there are"),
    "several": (("files", "Check"), 1, "several methods are called Check"),
    "request": (("files", HEALTH, '{"canary": 1}'), 1, "its fields: service"),
    "no json": (("files", HEALTH, "canary"), 1, "its fields: service"),
    "stream": (("files", "Watch"), 1, "stream"),
    "secrets": (("files", "storeplugin.backend.v1.SecretBackend/Read"), 1, "store-plugin get"),
    "no plugin": (("absent", HEALTH), 3, "plugin absent is not connected"),
}


@pytest.mark.parametrize(("arguments", "code", "told"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_call_that_cannot_be_made_says_why(
    plugged: Bench, arguments: tuple[str, ...], code: int, told: str
) -> None:
    called = command("call", *arguments, socket=plugged.control)
    assert (called.returncode, "Traceback" in called.stderr) == (code, False)
    assert told in called.stderr
    assert "canary" not in called.stderr


def test_configs_are_checked_against_the_schemas_of_its_plugins(plugged: Bench) -> None:
    config(plugged.directory / "configs", "wrong", plugged.directory, shelves=3)
    checked = command("check", str(plugged.directory / "configs"), socket=plugged.control, of="config")
    assert checked.returncode == 1
    assert "wrong.yaml:" in checked.stdout
    assert "2 configs, 1 error" in checked.stdout


def test_the_doctor_knows_them_too(plugged: Bench) -> None:
    plugged.wait_until_it_works()
    place = ("--config-dir", str(plugged.directory / "configs"), "--endpoint", plugged.sidecar.endpoint)
    looked = command(*place, socket=plugged.control, of="doctor")
    assert looked.returncode == 0, looked.stdout
    assert "kind:" not in looked.stdout


def test_without_a_sidecar_it_is_said_what_to_do(tmp_path: Path) -> None:
    nobody = command(socket=tmp_path / "nothing.sock")
    assert nobody.returncode == 3
    assert "start the sidecar with --control-socket" in nobody.stderr
    unnamed = command()
    assert unnamed.returncode == 2
    assert "STORE_PLUGIN_CONTROL_SOCKET" in unnamed.stderr
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequest, match="not a socket"), connected(tmp_path / "file"):
        pass


def test_a_sidecar_that_is_gone_is_not_reachable(bench: Bench) -> None:
    bench.sidecar.kill()
    with pytest.raises(NotReachable, match="is it running"), connected(bench.control, seconds=0.5):
        pass


def test_a_sidecar_without_a_hub_says_so(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    socket = tmp_path / "control.sock"
    with running_sidecar(tmp_path / "configs", "--control-socket", str(socket)):
        eventually(socket.exists)
        assert "--hub-listen" in command(socket=socket).stderr
        checked = command("check", str(tmp_path / "configs"), socket=socket, of="config")
        assert (checked.returncode, checked.stdout) == (0, "0 configs, 0 errors, 0 warnings\n")


def test_the_log_level_changes(bench: Bench) -> None:
    with connected(bench.control) as control:
        control.set_log_level("error")
        with bench.plugin():
            eventually(lambda: bench.connected() == 1)
        control.set_log_level("info")
        with pytest.raises(InvalidRequest):
            control.set_log_level("loud")
        with bench.plugin(instance="two"):
            eventually(lambda: bench.connected() == 1)
            eventually(lambda: bench.sidecar.log.count('"event": "plugin connected"') == 1)


def test_the_log_level_is_shown_and_set_by_a_command(bench: Bench) -> None:
    assert command(socket=bench.control, of="log-level").stdout == "info\n"
    assert command("debug", socket=bench.control, of="log-level").stdout == "debug\n"
    assert command(socket=bench.control, of="log-level").stdout == "debug\n"
    wrong = command("loud", socket=bench.control, of="log-level")
    assert (wrong.returncode, "'loud' is not one of 'debug'" in wrong.stderr) == (2, True)


def test_names_are_completed(plugged: Bench) -> None:
    completed = subprocess.run(
        [PROGRAM],
        env={
            "_STORE_PLUGIN_COMPLETE": "bash_complete",
            "COMP_WORDS": "store-plugin plugins call f",
            "COMP_CWORD": "3",
            "STORE_PLUGIN_CONTROL_SOCKET": str(plugged.control),
        },
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert completed.stdout.splitlines() == ["plain,files"]
