"""OpenBao, config manifests and a sidecar over them, once for each module."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from store_plugin.client import Client
from tests.support import manifests
from tests.support.openbao import OpenBao
from tests.support.sidecar import SidecarProcess, running_sidecar

STORES = ("VaultConfig/v2", "VaultConfig/v1", "LocalConfig/files")
WITH_COMPARE_AND_SET = ("VaultConfig/v2", "LocalConfig/files")


@dataclass(frozen=True)
class World:
    """The manifests in `configs`: VaultConfig v2 and v1, LocalConfig files."""

    bao: OpenBao
    configs: Path
    data: Path
    mounts: dict[str, str]

    def vault(self, name: str, *, version: str = "v2", **changes: Any) -> Path:
        """Add a VaultConfig on the mount of that version, changed as told."""
        auth = {"method": "Token", "token": manifests.from_file(self.data / "token")}
        spec = {
            "server": self.bao.address,
            "mountPath": self.mounts[version],
            "version": version,
            "auth": auth,
        }
        return manifests.write(self.configs, "VaultConfig", name, {**spec, **changes})


def make_world(bao: OpenBao, directory: Path) -> World:
    configs = directory / "configs"
    configs.mkdir()
    mounts = {version: bao.mount_kv(version) for version in ("v1", "v2")}
    every = ("create", "read", "update", "delete", "list")
    policy = bao.policy({f"{mount}/*": every for mount in mounts.values()})
    (directory / "token").write_text(bao.token([policy]) + "\n")
    world = World(bao, configs, directory, mounts)
    world.vault("v2")
    world.vault("v1", version="v1")
    manifests.local(configs, "files", directory)
    return world


@pytest.fixture(scope="module")
def world(bao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(bao, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def sidecar(world: World) -> Iterator[SidecarProcess]:
    with running_sidecar(world.configs) as process:
        yield process


@pytest.fixture
def client(sidecar: SidecarProcess) -> Iterator[Client]:
    with Client(sidecar.endpoint) as client:
        yield client
