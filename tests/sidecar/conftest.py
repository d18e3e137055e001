"""One sidecar with local stores for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store_plugin.client import Client
from tests.support import manifests
from tests.support.raw import SERVICE_NAMES, RawService, channel_to
from tests.support.sidecar import SidecarProcess, running_sidecar


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def config_dir(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    directory = tmp_path_factory.mktemp("sidecar") / "configs"
    directory.mkdir()
    manifests.local(directory, "files", data_dir)
    manifests.local(directory, "restricted", data_dir, access=[{"callers": ["local"], "scopes": ["team-a"]}])
    manifests.write(
        directory,
        "LocalConfig",
        "keyless",
        {"path": str(data_dir / "keyless.db"), "key": manifests.from_file(data_dir / "missing.key")},
    )
    nobody = [{"callers": ["nobody"]}]
    manifests.local(directory, "forbidden", data_dir, access=nobody)
    missing = manifests.from_file(data_dir / "missing.key")
    manifests.local(directory, "forbidden-keyless", data_dir, access=nobody, key=missing)
    (directory / "broken.yaml").write_text(
        "apiVersion: secrets.crossplane.io/v1alpha1\nkind: LocalConfig\nmetadata: {name: broken}\nspec: {}\n"
    )
    return directory


@pytest.fixture(scope="module")
def sidecar(config_dir: Path) -> Iterator[SidecarProcess]:
    with running_sidecar(config_dir) as process:
        yield process


@pytest.fixture(params=SERVICE_NAMES)
def service(request: pytest.FixtureRequest, sidecar: SidecarProcess) -> Iterator[RawService]:
    with channel_to(sidecar.endpoint) as channel:
        yield RawService(channel, request.param)


@pytest.fixture
def client(sidecar: SidecarProcess) -> Iterator[Client]:
    with Client(sidecar.endpoint) as client:
        yield client
