"""The commands against the real sidecar and the real stores behind it."""

import json
import os
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.conftest import STORES, World
from tests.support import manifests
from tests.support.sidecar import PROGRAM, SidecarProcess


def run(
    *arguments: str, endpoint: str | None = None, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    environ = {**os.environ, **({"STORE_PLUGIN_ENDPOINT": endpoint} if endpoint else {})}
    return subprocess.run([PROGRAM, *arguments], capture_output=True, input=stdin, env=environ, timeout=60)


@pytest.mark.parametrize("config", STORES)
def test_a_secret_is_applied_shown_and_deleted(sidecar: SidecarProcess, config: str, tmp_path: Path) -> None:
    name, at = f"cli/{uuid4().hex}", sidecar.endpoint
    (tmp_path / "binary").write_bytes(b"\x00\xff")
    applied = run(
        "apply", config, name, "user=admin", f"blob=@{tmp_path}/binary", "pw=@-", endpoint=at, stdin=b"s3"
    )
    assert applied.returncode == 0, applied.stderr
    masked = run("get", config, name, endpoint=at)
    assert b"admin" not in masked.stdout
    assert b"pw" in masked.stdout
    shown = json.loads(run("get", config, name, "--reveal", "-o", "json", endpoint=at).stdout)
    assert "admin" in json.dumps(shown)
    assert run("delete", config, name, "user", endpoint=at).returncode == 0
    assert run("delete", config, name, "--yes", endpoint=at).returncode == 0
    assert b"pw" not in run("get", config, name, endpoint=at).stdout


def test_a_dry_run_shows_keys_and_writes_nothing(sidecar: SidecarProcess) -> None:
    name, at = f"cli/{uuid4().hex}", sidecar.endpoint
    run("apply", "VaultConfig/v2", name, "old=value-one", endpoint=at)
    rehearsed = run(
        "apply", "VaultConfig/v2", name, "old=value-two", "new=value-three", "--dry-run", endpoint=at
    )
    assert b"+ new" in rehearsed.stdout
    assert b"~ old" in rehearsed.stdout
    assert b"value-" not in rehearsed.stdout
    assert b"new" not in run("get", "VaultConfig/v2", name, endpoint=at).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["get", "VaultConfig/absent", "a/b"], 1),
        (["get", "VaultConfig/v2", "a/../b"], 2),
        (["apply", "VaultConfig/v2", "a/b", "no-equals"], 2),
        (["get", "VaultConfig"], 2),
    ],
    ids=["no-config", "bad-name", "bad-pair", "missing-argument"],
)
def test_exit_codes(sidecar: SidecarProcess, arguments: list[str], code: int) -> None:
    ended = run(*arguments, endpoint=sidecar.endpoint)
    assert ended.returncode == code, ended.stderr
    assert b"Traceback" not in ended.stderr


def test_no_sidecar_is_exit_code_3() -> None:
    ended = run(
        "get", "VaultConfig/v2", "a/b", "--connect-timeout", "0.3", endpoint="@store-plugin-test/nobody"
    )
    assert ended.returncode == 3
    assert b"store-plugin serve" in ended.stderr


def test_copy_moves_all_secrets_of_a_scope_with_their_owners(sidecar: SidecarProcess, world: World) -> None:
    scope, at = f"copy-{uuid4().hex[:8]}", sidecar.endpoint
    for number in range(3):
        run("apply", "VaultConfig/v2", f"{scope}/s{number}", f"k=v{number}", "--owner", "uid-1", endpoint=at)
    directory = ("--config-dir", str(world.configs), "--scope", scope)
    rehearsed = run("copy", "VaultConfig/v2", "LocalConfig/files", *directory, "--dry-run")
    assert rehearsed.returncode == 0, rehearsed.stderr
    still_there = run("get", "LocalConfig/files", f"{scope}/s0", "-o", "json", endpoint=at)
    assert not json.loads(still_there.stdout)["data"]
    assert run("copy", "VaultConfig/v2", "LocalConfig/files", *directory).returncode == 0
    for number in range(3):
        shown = run("get", "LocalConfig/files", f"{scope}/s{number}", "--reveal", "-o", "json", endpoint=at)
        assert f"v{number}".encode() in shown.stdout
        assert b"uid-1" in shown.stdout


def test_config_check_connects_and_tells_what_is_wrong(world: World, tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    (tmp_path / "wrong").write_text("s.wrong")
    token = manifests.from_file(world.data / "token")

    def vault(name: str, token: dict[str, object], **changes: object) -> None:
        spec = {
            "server": world.bao.address,
            "mountPath": world.mounts["v2"],
            "access": [{"callers": ["local"]}],
        }
        manifests.write(
            configs, "VaultConfig", name, {**spec, "auth": {"method": "Token", "token": token}, **changes}
        )

    vault("good", token)
    vault("refused", manifests.from_file(tmp_path / "wrong"))
    vault("away", token, server="http://127.0.0.1:1")
    vault("elsewhere", token, mountPath="not-mounted")
    ended = run("config", "check", str(configs), "--connect")
    told = ended.stdout.decode()
    assert ended.returncode == 1
    assert "ok      VaultConfig/good" in told
    for name in ("refused", "away", "elsewhere"):
        assert f"error   VaultConfig/{name}" in told
    assert "s.wrong" not in told
    for name in ("refused", "away", "elsewhere"):
        (configs / f"vaultconfig-{name}.yaml").unlink()
    assert run("config", "check", str(configs), "--connect").returncode == 0
