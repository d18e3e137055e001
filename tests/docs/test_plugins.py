"""What the page about plugins shows works as it stands there."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from store_plugin.cli.serve import serve
from store_plugin.plugin import Plugin
from store_plugin.store import Capabilities, Store
from store_plugin.testing.contract import OpenStore, StoreContract
from tests.docs.pages import DOCS, ROOT, blocks, code, rows, section
from tests.hub.bench import Bench, hub_bench
from tests.hub.conftest import running
from tests.support.processes import program_beside
from tests.support.waiting import until

PAGE = DOCS / "plugins.md"
BACKEND, PROVIDER, OPERATOR = blocks(PAGE, "python")
MANIFEST = yaml.safe_load(blocks(PAGE, "yaml")[0])
SERVED = MANIFEST["apiVersion"], MANIFEST["kind"]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with hub_bench(f"unix://{tmp_path}/hub.sock") as bench:
        yield bench


def run(program: str) -> dict[str, Any]:
    known: dict[str, Any] = {"__name__": "shown"}
    exec(compile(program, str(PAGE), "exec"), known)
    return known


class TestTheBackend(StoreContract):
    capabilities = Capabilities(compare_and_set=True, conditional_delete=True)

    @pytest.fixture
    async def open_store(self, bench: Bench) -> AsyncIterator[OpenStore]:
        plugin: Plugin = run(BACKEND)["plugin"]
        async with running(plugin, bench.endpoint):
            await until(lambda: len(bench.hub.registry) == 1)

            async def open_store() -> Store:
                return await bench.open(MANIFEST["spec"], served=SERVED)

            yield open_store


async def test_the_backend_is_a_program(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "shelf.py").write_text(BACKEND)
    command = [sys.executable, str(tmp_path / "shelf.py"), "--hub", bench.endpoint]
    async with program_beside(command, tmp_path / "log"):
        await until(lambda: len(bench.hub.registry) == 1, within=30)
        store = await bench.open(MANIFEST["spec"], served=SERVED)
        assert await store.check() == []


async def test_the_provider_and_the_operator_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples" / "token-renewer")
    endpoint = f"unix:///@store-plugin-tests/{uuid4().hex}"
    async with running(run(PROVIDER)["plugin"], endpoint):
        known = {"ENDPOINT": endpoint}
        program = compile(OPERATOR, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        await eval(program, known)
        assert known["answer"].token == "after old"  # type: ignore[attr-defined]


def test_a_plugin_without_stores_imports_no_more_than_it_says() -> None:
    program = "import sys, store_plugin.plugin; print({'pydantic', 'structlog', 'yaml'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"


def test_every_argument_of_run_is_told() -> None:
    told = code("\n".join(row[0] for row in rows(section(PAGE, "The author's guide"))))
    arguments = set(inspect.signature(Plugin.run).parameters) - {"self"}
    assert arguments <= set(told.splitlines())


def test_every_option_of_the_sidecar_that_is_named_exists() -> None:
    # Addresses and files of kube-rbac-proxy are in a block of their own.
    named = set(re.findall(r"--(?:hub|pod|host)-[a-z-]+", PAGE.read_text()))
    known = {spelling for option in serve.params for spelling in option.opts}
    assert len(named) > 5
    assert named <= known
