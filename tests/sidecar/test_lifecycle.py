"""Starting, refusing to start, draining, leaving, dying."""

import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from tests.support import manifests
from tests.support.sidecar import PROGRAM, SidecarProcess, running_sidecar
from tests.support.waiting import eventually


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory = tmp_path / "configs"
    directory.mkdir()
    manifests.local(directory, "files", tmp_path)
    return directory


def refusal(*arguments: str) -> str:
    """What `serve` says when it does not start."""
    command = [PROGRAM, "serve", "--admin-listen", "127.0.0.1:0", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 1, ended.stderr
    return ended.stderr


def test_sigterm_ends_with_exit_code_0(configs: Path) -> None:
    with running_sidecar(configs) as sidecar:
        assert sidecar.stop() == 0
        assert '"event": "stopped"' in sidecar.log


def test_a_call_in_flight_finishes_after_sigterm(configs: Path) -> None:
    with running_sidecar(configs) as sidecar, Client(sidecar.endpoint) as client:
        client.apply("LocalConfig/files", "a/b", {"k": b"v"})
        outcomes: list[object] = []

        def many() -> None:
            for number in range(2000):
                try:
                    outcomes.append(client.apply("LocalConfig/files", "a/b", {"k": b"%d" % number}))
                except StorePluginError as error:
                    outcomes.append(error)
                    return

        caller = threading.Thread(target=many)
        caller.start()
        eventually(lambda: len(outcomes) > 5)
        assert sidecar.stop() == 0
        caller.join(timeout=60)
        assert not caller.is_alive()
        acknowledged = sum(not isinstance(outcome, StorePluginError) for outcome in outcomes)
    with running_sidecar(configs) as sidecar, Client(sidecar.endpoint) as client:
        stored = int(client.get("LocalConfig/files", "a/b").data["k"])
        assert stored in (acknowledged - 1, acknowledged)


def test_readiness_goes_before_the_process(configs: Path) -> None:
    with running_sidecar(configs) as sidecar:
        assert sidecar.http("/readyz").startswith("ok")
        sidecar.stop()
        log = sidecar.log
        assert log.index('"event": "stopping"') < log.index('"event": "stopped"')


def test_an_abstract_name_that_is_taken_is_refused_loudly(configs: Path) -> None:
    name = f"store-plugin-test/{uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind("\0" + name)
        squatter.listen()
        said = refusal("--config-dir", str(configs), "--listen", f"@{name}", "--admin-listen", "127.0.0.1:0")
    assert "taken" in said
    assert "Traceback" not in said


def test_a_path_socket_has_its_mode_and_replaces_a_stale_one(configs: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with running_sidecar(configs, "--socket-mode", "0600", listen=[str(path)]) as sidecar:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with Client(sidecar.endpoint) as client:
            assert client.apply("LocalConfig/files", "a/b", {"k": b"v"}).changed


def test_a_path_that_is_served_or_no_socket_is_refused(configs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    assert "not a socket" in refusal("--config-dir", str(configs), "--listen", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"
    path = str(tmp_path / "s.sock")
    with running_sidecar(configs, listen=[path]):
        assert "another process" in refusal("--config-dir", str(configs), "--listen", path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pod-ip", "10.0.0.7", "--host-ip", "10.0.0.7"], "hostNetwork"),
        (["--listen", "127.0.0.1:4040", "--certs-dir", "/nonexistent"], "ca.crt"),
        (["--client-token-file", "/nonexistent"], "--client-token-file"),
        (
            ["--socket-group", "no-such-group", "--listen", "/tmp/store-plugin-test-group.sock"],
            "no such group",
        ),
    ],
    ids=["host-network", "no-certificates", "no-token-file", "no-group"],
)
def test_settings_that_cannot_work_are_refused(configs: Path, arguments: list[str], expected: str) -> None:
    said = refusal("--config-dir", str(configs), *arguments)
    assert expected in said
    assert "Traceback" not in said


@pytest.mark.parametrize("option", ["--admin-listen", "--health-listen", "--metrics-listen"])
@pytest.mark.parametrize("address", ["8080", "localhost", "@a/b", "127.0.0.1:99999"])
def test_an_address_for_http_that_is_none_is_wrong_usage(configs: Path, option: str, address: str) -> None:
    command = [PROGRAM, "serve", "--config-dir", str(configs), option, address]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 2
    assert f"'{option}'" in ended.stderr
    assert f"'{address}' is not HOST:PORT such as 127.0.0.1:8080" in ended.stderr


def test_a_port_for_http_that_is_taken_is_told_with_its_option(configs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        said = refusal("--config-dir", str(configs), "--listen", "@a/b", "--health-listen", address)
    assert f"--health-listen {address}: it is taken by another process" in said


def test_a_missing_config_directory_is_refused(tmp_path: Path) -> None:
    assert "not a directory" in refusal("--config-dir", str(tmp_path / "absent"))


def test_options_are_read_from_the_environment(configs: Path, tmp_path: Path) -> None:
    path = tmp_path / "from-environment.sock"
    environ = {"STORE_PLUGIN_SOCKET_MODE": "0640", "STORE_PLUGIN_LOG_FORMAT": "console"}
    with running_sidecar(configs, listen=[str(path)], environ=environ) as sidecar:
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert not sidecar.log.startswith("{")
        assert "\x1b" not in sidecar.log  # colours are for terminals


def test_a_second_signal_leaves_at_once(configs: Path, tmp_path: Path) -> None:
    """The call in flight waits for a server that never answers; the first signal lets it."""
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        token = tmp_path / "token"
        token.write_text("t")
        server = f"http://127.0.0.1:{black_hole.getsockname()[1]}"
        auth = {"method": "Token", "token": manifests.from_file(token)}
        manifests.write(
            configs, "VaultConfig", "stuck", {"server": server, "mountPath": "secret", "auth": auth}
        )
        with running_sidecar(configs) as sidecar, Client(sidecar.endpoint) as client:
            caller = threading.Thread(
                target=pytest.raises, args=(StorePluginError, client.get, "VaultConfig/stuck", "a/b")
            )
            caller.start()
            eventually(lambda: "store_plugin_in_flight 1.0" in sidecar.http("/metrics"))
            sidecar.process.send_signal(signal.SIGTERM)
            eventually(lambda: '"event": "stopping"' in sidecar.log)
            assert sidecar.process.poll() is None
            sidecar.process.send_signal(signal.SIGTERM)
            assert sidecar.wait() == 130
            caller.join(timeout=20)


def writes_until_killed(sidecar: SidecarProcess, acknowledged: dict[str, bytes]) -> None:
    with Client(sidecar.endpoint) as client:
        for number in range(10_000):
            key, value = f"k{number % 50}", b"%d" % number
            try:
                client.apply("LocalConfig/files", "a/b", {key: value}, timeout=30)
            except StorePluginError:
                acknowledged.setdefault("unknown", key.encode())
                return
            acknowledged[key] = value


def test_kill_9_in_the_middle_of_writes_loses_no_acknowledged_one(configs: Path) -> None:
    acknowledged: dict[str, bytes] = {}
    with running_sidecar(configs) as sidecar:
        writer = threading.Thread(target=writes_until_killed, args=(sidecar, acknowledged))
        writer.start()
        eventually(lambda: len(acknowledged) > 20)
        sidecar.kill()
        writer.join(timeout=60)
        assert not writer.is_alive()
    in_doubt = acknowledged.pop("unknown", b"").decode()
    with running_sidecar(configs) as sidecar, Client(sidecar.endpoint) as client:
        stored = client.get("LocalConfig/files", "a/b").data
        for key, value in acknowledged.items():
            if key != in_doubt:
                assert stored[key] == value
        assert client.apply("LocalConfig/files", "a/b", {"after": b"1"}).changed
