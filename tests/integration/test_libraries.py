"""A sidecar imports the libraries of the stores that are used, and no others: told by the
interpreter's own record of what the process imported."""

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from store_plugin.client import Client
from store_plugin.sidecar.memory import TRIM_EVERY
from tests.integration.conftest import World
from tests.support import manifests, moto
from tests.support.as_installed import environ_as_installed
from tests.support.moto import Moto
from tests.support.sidecar import running_sidecar
from tests.support.waiting import eventually

MOST_MEGABYTES = 130
RECORDED = {"PYTHONPROFILEIMPORTTIME": "1"}
LIBRARIES = {"boto3", "botocore", "hvac", "aiohttp", "kubernetes", "kopf", "requests"}
_IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\w+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with moto.server(tmp_path_factory.mktemp("moto")) as running:
        yield running


def used(endpoint: str, *configs: str) -> None:
    with Client(endpoint) as client:
        for config in configs:
            client.apply(config, "team/db", {"k": b"v"}, owner="uid-1")
            assert client.get(config, "team/db").data == {"k": b"v"}


def imported(configs: Path, config: str) -> set[str]:
    """Of the libraries, what a sidecar has imported after a config was used."""
    with running_sidecar(configs, environ=RECORDED) as sidecar:
        used(sidecar.endpoint, config)
        sidecar.stop()
        return LIBRARIES & set(_IMPORTED.findall(sidecar.log))


def test_a_sidecar_of_aws_never_imports_what_vault_needs(aws: Moto, tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    manifests.aws(configs, "aws", tmp_path, aws.address)
    found = imported(configs, "AWSConfig/aws")
    assert {"boto3", "botocore"} <= found
    assert not {"hvac", "requests", "kubernetes", "kopf"} & found


def test_a_sidecar_of_vault_never_imports_what_aws_needs(world: World) -> None:
    found = imported(world.configs, "VaultConfig/v2")
    assert "hvac" in found
    assert not {"boto3", "botocore", "kubernetes", "kopf"} & found


def test_memory_with_both_in_use(world: World, aws: Moto, tmp_path: Path) -> None:
    manifests.aws(world.configs, "aws", tmp_path, aws.address)
    manifests.aws(world.configs, "parameters", tmp_path, aws.address, service="ParameterStore")
    with running_sidecar(world.configs, environ=environ_as_installed(tmp_path)) as sidecar:
        used(sidecar.endpoint, "VaultConfig/v2", "AWSConfig/aws", "AWSConfig/parameters")
        process = psutil.Process(sidecar.pid)
        # On a busy machine it takes more for a moment, and gives it back.
        eventually(lambda: process.memory_info().rss / 1e6 <= MOST_MEGABYTES, 2 * TRIM_EVERY)
