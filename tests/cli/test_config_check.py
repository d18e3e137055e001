"""`store-plugin config check`: everything that is wrong, and where."""

import json
import os
import pty
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner, Result

from store_plugin.cli import _extras
from store_plugin.cli._app import cli
from tests.support import manifests
from tests.support.ports import free_port
from tests.support.sidecar import PROGRAM

OPEN = {"access": [{"scopes": ["*"]}]}


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory = tmp_path / "configs"
    directory.mkdir()
    return directory


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    return directory


def check(directory: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["config", "check", str(directory), *options])


def test_a_store_whose_libraries_are_missing_here_is_told(
    configs: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is right, so this is no error: CI may check it without the libraries."""

    def distribution(name: str) -> object:
        if name == "hvac":
            raise PackageNotFoundError(name)
        return object()

    monkeypatch.setattr(_extras, "distribution", distribution)
    token = data / "token"
    token.write_text("t")
    auth = {"method": "Token", "token": manifests.from_file(token)}
    spec = {"server": "http://127.0.0.1:1", "mountPath": "secret", "auth": auth, **OPEN}
    manifests.write(configs, "VaultConfig", "one", spec)
    manifests.write(configs, "VaultConfig", "two", spec)
    result = check(configs)
    told = "warning VaultConfig: cannot be served from here: pip install 'store-plugin[vault]'"
    assert (result.exit_code, result.output.splitlines()) == (0, [told, "2 configs, 0 errors, 1 warning"])


def test_sound_directory_ends_with_zero(configs: Path, data: Path) -> None:
    manifests.local(configs, "files", data, **OPEN)
    result = check(configs)
    assert (result.exit_code, result.output) == (0, "1 config, 0 errors, 0 warnings\n")


def test_empty_directory_is_no_error(configs: Path) -> None:
    assert check(configs).output == "0 configs, 0 errors, 0 warnings\n"


def test_config_that_everyone_may_use_is_a_warning(configs: Path, data: Path) -> None:
    path = manifests.local(configs, "files", data)
    result = check(configs)
    assert result.exit_code == 0
    assert f"warning {path}:1: LocalConfig/files has no access rules" in result.output


def test_every_problem_is_told_with_file_and_line(configs: Path, data: Path) -> None:
    head = "apiVersion: secrets.crossplane.io/v1alpha1\nkind: LocalConfig\nmetadata: {name: x}\n"
    (configs / "one.yaml").write_text(head + "spec:\n  path: /x\n  kee: {}\n")
    (configs / "two.yaml").write_text("a: [\n")
    result = check(configs)
    assert result.exit_code == 1
    assert f"error   {configs}/one.yaml:6: " in result.output
    assert f"error   {configs}/two.yaml:" in result.output


def test_missing_credential_is_a_problem(configs: Path, data: Path) -> None:
    manifests.local(configs, "files", data, **OPEN)
    (data / "files.key").unlink()
    result = check(configs)
    assert result.exit_code == 1
    assert "spec.key" in result.output


def test_directory_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert check(tmp_path / "nothing").exit_code == 2


def test_stores_are_left_alone_without_connect(configs: Path, data: Path) -> None:
    manifests.local(configs, "files", data, **OPEN)
    check(configs)
    assert not (data / "files.db").exists()


def test_connect_opens_each_store_and_says_ok(configs: Path, data: Path) -> None:
    manifests.local(configs, "one", data, **OPEN)
    manifests.local(configs, "two", data, **OPEN)
    result = check(configs, "--connect")
    assert result.exit_code == 0
    assert (
        result.output == "ok      LocalConfig/one\nok      LocalConfig/two\n2 configs, 0 errors, 0 warnings\n"
    )


def wrong_key(configs: Path, data: Path) -> None:
    manifests.local(configs, "broken", data, **OPEN)
    check(configs, "--connect")
    (data / "broken.key").write_text(manifests.new_key())


def nobody_listening(configs: Path, data: Path) -> None:
    (data / "token").write_text("canary-token")
    auth = {"method": "Token", "token": manifests.from_file(data / "token")}
    server = f"http://127.0.0.1:{free_port()}"
    spec = {"server": server, "mountPath": "secret", "version": "v2", "auth": auth, **OPEN}
    manifests.write(configs, "VaultConfig", "broken", spec)


@pytest.mark.parametrize("breaking", [wrong_key, nobody_listening])
def test_connect_tells_which_store_fails_and_why(
    configs: Path, data: Path, breaking: Callable[[Path, Path], None]
) -> None:
    manifests.local(configs, "sound", data, **OPEN)
    breaking(configs, data)
    result = check(configs, "--connect")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert "ok      LocalConfig/sound" in lines
    failing = [line for line in lines if line.startswith("error")]
    assert len(failing) == 1
    assert "Config/broken: " in failing[0]
    assert "canary-token" not in result.output


def vault(configs: Path, data: Path, name: str, server: str) -> None:
    (data / "token").write_text("canary-token")
    auth = {"method": "Token", "token": manifests.from_file(data / "token")}
    manifests.write(
        configs, "VaultConfig", name, {"server": server, "mountPath": "secret", "auth": auth, **OPEN}
    )


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_config_that_never_answers_costs_its_own_time_only(
    configs: Path, data: Path, black_hole: str
) -> None:
    for number in range(3):
        vault(configs, data, f"silent-{number}", black_hole)
        manifests.local(configs, f"sound-{number}", data, **OPEN)
    result = check(configs, "--connect", "--timeout", "6")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[-1] == "6 configs, 3 errors, 0 warnings"
    for number in range(3):
        assert f"ok      LocalConfig/sound-{number}" in lines
        assert any(
            line.startswith(f"error   VaultConfig/silent-{number}: no answer within 6 s") for line in lines
        )


def test_a_config_without_its_credential_is_told_once(configs: Path, data: Path) -> None:
    path = manifests.local(configs, "files", data, **OPEN)
    (data / "files.key").unlink()
    lines = check(configs, "--connect").output.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"error   {path}:")
    assert lines[0].endswith("does not exist; provide it, or name another source")


def test_a_bug_of_one_store_does_not_hide_the_others(
    configs: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stores.vault.store import VaultStore

    async def check_with_a_bug(_: object) -> list[str]:
        raise RuntimeError("canary-text")

    monkeypatch.setattr(VaultStore, "check", check_with_a_bug)
    manifests.local(configs, "sound", data, **OPEN)
    vault(configs, data, "broken", "http://127.0.0.1:1")
    result = check(configs, "--connect")
    assert "ok      LocalConfig/sound" in result.output
    assert "error   VaultConfig/broken: failed with RuntimeError: this is a bug" in result.output
    assert "canary" not in result.output


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_result_for_programs(configs: Path, data: Path, output: str) -> None:
    import yaml

    path = manifests.local(configs, "files", data)
    result = check(configs, "--connect", "-o", output)
    found = json.loads(result.output) if output == "json" else yaml.safe_load(result.output)
    assert {key: found[key] for key in ("configs", "errors", "warnings")} == {
        "configs": 1,
        "errors": 0,
        "warnings": 1,
    }
    assert [(one["level"], one["where"]) for one in found["findings"]] == [
        ("warning", f"{path}:1"),
        ("ok", "LocalConfig/files"),
    ]


def all_of(terminal: IO[bytes]) -> bytes:
    """What was written to a terminal whose other end is closed."""
    text = b""
    with suppress(OSError):  # there is no more
        while chunk := terminal.read(10_000):
            text += chunk
    return text


def test_progress_is_for_terminals(configs: Path, data: Path) -> None:
    manifests.local(configs, "files", data, **OPEN)
    terminal, end = pty.openpty()
    command = [PROGRAM, "config", "check", str(configs), "--connect"]
    with os.fdopen(terminal, "rb", buffering=0) as shown:
        with os.fdopen(end, "wb", buffering=0) as stderr:
            ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, timeout=60, check=True)
        text = all_of(shown).decode()
    assert "0 of 1 checked, waiting for LocalConfig/files" in text
    assert "1 of 1 checked" in text
    assert "checked" not in ended.stdout.decode()
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stderr == b""
