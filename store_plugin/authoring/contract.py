"""The contract of stores, run against a plugin that is some executable, in whatever language.

pytest runs it, in this process: one hub and one process of the plugin for all tests. Each test has
a scope of its own below which the store is empty, so the plugin needs no place of its own per test.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio

from store_plugin.authoring.trial import Launch, StoreManifest, Trial, trial
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Limits, Store
from store_plugin.testing.contract import OpenStore, StoreContract

_MODULE = """\
from pathlib import Path

from store_plugin.authoring.contract import contract_of

TestContract = contract_of(Path(__file__).with_name("trial.json"))
"""
_LOOP = ["-o", "asyncio_default_fixture_loop_scope=session", "-o", "asyncio_default_test_loop_scope=session"]
_QUIET = ["-p", "no:cacheprovider", "-p", "no:terminal", "-W", "ignore"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one rule."""

    rule: str
    passed: bool
    seconds: float
    problem: str = ""


def prove(launch: Launch, manifest: StoreManifest, chosen: str = "") -> Sequence[Outcome]:
    """Run all rules that apply to what the plugin claims; `chosen`: only those whose name has that
    in it. What starting and opening raise. Blocking."""
    capabilities = asyncio.run(_claimed(launch, manifest))
    with TemporaryDirectory(prefix="store-plugin-contract-") as temporary:
        directory = Path(temporary)
        (directory / "test_contract.py").write_text(_MODULE)
        (directory / "trial.json").write_text(json.dumps(_written(launch, manifest, capabilities)))
        (directory / "pytest.ini").write_text("[pytest]\n")
        report = _Report()
        arguments = ["--rootdir", temporary, "-c", str(directory / "pytest.ini"), *_LOOP, *_QUIET]
        selected = ["-k", chosen] if chosen else []
        pytest.main([*arguments, *selected, str(directory / "test_contract.py")], plugins=[report])
    return report.outcomes


def contract_of(file: Path) -> type[StoreContract]:
    """The class that pytest collects."""
    document = json.loads(file.read_text())
    claimed = document["capabilities"]
    launch = Launch(
        Path(document["executable"]),
        tuple(document["arguments"]),
        {name: os.environ[name] for name in document["variables"]} | document["environment"],
    )
    manifest = StoreManifest(**document["manifest"])

    class Contract(StoreContract):
        capabilities = Capabilities(**{**claimed, "limits": Limits(**claimed["limits"])})

        @pytest_asyncio.fixture(scope="class", loop_scope="session")
        async def connected(self) -> AsyncIterator[Trial]:
            async with trial(launch, lambda line: None, os.environ) as connected:
                yield connected

        @pytest.fixture
        def open_store(self, connected: Trial) -> OpenStore:
            scope = f"contract-{uuid.uuid4().hex[:12]}"

            async def open_store() -> Store:
                return Apart(await connected.open(manifest), scope)

            return open_store

    return Contract


class Apart:
    """A store whose names all lie below one scope of another store."""

    def __init__(self, store: Store, scope: str) -> None:
        self._store = store
        self._scope = scope
        self.capabilities = store.capabilities

    def location(self, name: ScopedName) -> str:
        return self._store.location(self._below(name))

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        return await self._store.read(self._below(name), version)

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await self._store.write(self._below(name), secret, base=base)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await self._store.delete(self._below(name), base=base)

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        return self._store.names(scope)

    async def check(self) -> list[str]:
        return await self._store.check()

    async def aclose(self) -> None:
        await self._store.aclose()

    def _below(self, name: ScopedName) -> ScopedName:
        # In the first segment, so that a name may still have as many as are allowed.
        return ScopedName.parse(f"{self._scope}.{name}")


class _Report:
    """Collects what became of each test."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            rule = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
            problem = _short(report.longreprtext) if report.failed else ""
            self.outcomes.append(Outcome(rule, report.passed, report.duration, problem))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcomes.append(Outcome("collection", False, 0.0, _short(report.longreprtext)))


async def _claimed(launch: Launch, manifest: StoreManifest) -> Capabilities:
    async with trial(launch, lambda line: None, os.environ) as connected:
        store = await connected.open(manifest)
        try:
            return store.capabilities
        finally:
            await store.aclose()


def _written(launch: Launch, manifest: StoreManifest, capabilities: Capabilities) -> Mapping[str, Any]:
    """No value of a variable of ours goes to the disk, only its name."""
    variables = [name for name, value in launch.environment.items() if os.environ.get(name) == value]
    return {
        "executable": str(launch.executable),
        "arguments": launch.arguments,
        "variables": variables,
        "environment": {name: value for name, value in launch.environment.items() if name not in variables},
        "manifest": asdict(manifest),
        "capabilities": asdict(capabilities),
    }


def _short(text: str) -> str:
    """The lines that say what was wrong."""
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")]
    return "\n".join(lines[:8]) or text[-400:]
