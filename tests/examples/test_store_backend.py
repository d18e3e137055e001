"""The example of a backend is a store like any other."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from store_plugin.engine import Engine, LocationLocks, Rules
from store_plugin.errors import StoreUnavailable
from store_plugin.lifecycle.packages.building import build
from store_plugin.model import ScopedName, Secret
from store_plugin.plugin import Plugin
from store_plugin.store import Capabilities, Store
from store_plugin.testing.contract import OpenStore, StoreContract
from tests.hub.bench import Bench, hub_bench
from tests.hub.conftest import running
from tests.support.processes import program_beside
from tests.support.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "store-backend"
MANIFEST: dict[str, Any] = yaml.safe_load((EXAMPLE / "folder.yaml").read_text())
SERVED = MANIFEST["apiVersion"], MANIFEST["kind"]
NAME = ScopedName.parse("team/db")


def factory() -> Any:
    spec = spec_from_file_location("folder_backend", EXAMPLE / "folder_backend.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FolderFactory()


async def opened(bench: Bench, directory: Path) -> Store:
    return await bench.open({**MANIFEST["spec"], "directory": str(directory)}, served=SERVED)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with hub_bench(f"unix://{tmp_path}/hub.sock") as bench:
        yield bench


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "folder"
    found.mkdir()
    return found


def test_it_is_as_short_as_it_is_said_to_be() -> None:
    lines = (EXAMPLE / "folder_backend.py").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 60


class TestOverAHub(StoreContract):
    capabilities = Capabilities(compare_and_set=True, conditional_delete=True)

    @pytest.fixture
    async def open_store(self, bench: Bench, directory: Path) -> AsyncIterator[OpenStore]:
        plugin = Plugin("folder", "1.0")
        plugin.serve_store(factory(), api_version=SERVED[0], kind=SERVED[1])
        async with running(plugin, bench.endpoint):
            await until(lambda: len(bench.hub.registry) == 1)

            async def open_store() -> Store:
                return await opened(bench, directory)

            yield open_store


async def test_processes_that_share_the_calls_lose_no_write(
    bench: Bench, directory: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(EXAMPLE / "folder_backend.py"), "--hub", bench.endpoint]
    async with AsyncExitStack() as stack:
        for number in range(2):
            await stack.enter_async_context(program_beside(command, tmp_path / f"{number}.log"))
        await until(lambda: len(bench.hub.registry) == 2, within=30)
        # Each writer has locks of its own, as another sidecar has.
        engines = [Engine(await opened(bench, directory), Rules(), LocationLocks()) for _ in range(8)]
        secrets = [Secret({f"key-{number}": b"v"}) for number in range(8)]
        deadline = asyncio.get_running_loop().time() + 30.0
        applies = [e.apply(NAME, s, deadline=deadline) for e, s in zip(engines, secrets, strict=True)]
        await asyncio.gather(*applies)
        assert len((await engines[0].get(NAME)).secret.data) == 8


async def test_a_directory_that_is_missing_is_told(bench: Bench, tmp_path: Path) -> None:
    plugin = Plugin("folder", "1.0")
    plugin.serve_store(factory(), api_version=SERVED[0], kind=SERVED[1])
    async with running(plugin, bench.endpoint):
        await until(lambda: len(bench.hub.registry) == 1)
        store = await opened(bench, tmp_path / "nowhere")
        with pytest.raises(StoreUnavailable, match="nowhere is not there"):
            await store.check()


def test_it_is_a_project_that_becomes_one_file(tmp_path: Path) -> None:
    built = build(EXAMPLE, tmp_path / "folder.pyz")
    command = [sys.executable, str(built.file), "--describe"]
    shown = subprocess.run(command, capture_output=True, check=True, timeout=60)
    told = json.loads(shown.stdout)
    assert (told["name"], told["version"]) == (built.name, built.version) == ("folder", "1.0")
    assert [(kind["apiVersion"], kind["kind"]) for kind in told["kinds"]] == [SERVED]
