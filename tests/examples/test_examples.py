"""Every example runs, against the real sidecar, and says what it promises."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from store_plugin.config.reading import read_directory
from store_plugin.store import served_kinds
from tests.support import manifests
from tests.support.openbao import OpenBao
from tests.support.sidecar import SidecarProcess, running_sidecar

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMISED = {
    "publish.py": (
        "changed: password ADDED, secret.crossplane.io/owner-uid METADATA, username ADDED\n"
        "the same again: unchanged, nothing was written\n"
        "somebody else: NOT_OWNER\n"
        "stored keys: password, username\n"
        "after delete: 0 keys\n"
    ),
    "publish_async.py": "published: 20\n",
}


@pytest.fixture(scope="module")
def sidecar(bao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarProcess]:
    data = tmp_path_factory.mktemp("examples")
    (data / "configs").mkdir()
    (data / "token").write_text(bao.root_token)
    auth = {"method": "Token", "token": manifests.from_file(data / "token")}
    spec = {"server": bao.address, "mountPath": bao.mount_kv("v2"), "auth": auth}
    manifests.write(data / "configs", "VaultConfig", "vault", spec)
    manifests.local(data / "configs", "local", data)
    with running_sidecar(data / "configs") as process:
        yield process


@pytest.mark.parametrize("config", ["VaultConfig/vault", "LocalConfig/local"])
@pytest.mark.parametrize(("example", "expected"), PROMISED.items(), ids=PROMISED)
def test_an_example_says_what_it_promises(
    sidecar: SidecarProcess, config: str, example: str, expected: str
) -> None:
    ended = subprocess.run(
        [sys.executable, str(EXAMPLES / example), config, sidecar.endpoint],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr) == (expected, "")


def test_the_example_manifests_are_valid() -> None:
    reading = read_directory(EXAMPLES / "configs", served_kinds())
    assert not reading.problems
    assert {str(config.reference) for config in reading.configs} == {
        "LocalConfig/local",
        "VaultConfig/vault",
        "VaultConfig/vault-prod",
    }


def test_no_example_goes_untested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == PROMISED.keys()


@pytest.mark.parametrize("program", PROMISED)
def test_an_example_without_arguments_says_what_it_takes(program: str) -> None:
    ended = subprocess.run([sys.executable, EXAMPLES / program], capture_output=True, text=True)
    assert ended.returncode == 1
    assert f"python examples/{program} VaultConfig/vault [ENDPOINT]" in ended.stderr
    assert "Traceback" not in ended.stderr
