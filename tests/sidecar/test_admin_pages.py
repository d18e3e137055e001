"""What the admin pages cost the calls that are served beside them."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from store_plugin.config.declarations import Problem
from store_plugin.config.source import SourceState
from store_plugin.dispatch.state import ConfigState, Counts
from store_plugin.model import ConfigReference
from store_plugin.sidecar.admin import AdminServer, View
from store_plugin.sidecar.metrics import Metrics
from store_plugin.watching.state import WatchState
from tests.support.manifests import GROUP_VERSION
from tests.support.ports import free_port

MANY = 10_000


class ManyConfigs:
    """All of them broken; counts how many were looked at, and the most between two turns of
    the event loop."""

    def __init__(self) -> None:
        self.looked_at = 0
        self.most_at_once = 0
        self._at_once = 0

    def states(self) -> Iterator[ConfigState]:
        for number in range(MANY):
            self.looked_at += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            reference = ConfigReference(GROUP_VERSION, "LocalConfig", f"c{number}")
            yield ConfigState(reference, 1, "Stale", f"{number}.yaml:1", "bad", False, 0)

    def broken(self) -> Iterator[ConfigState]:
        return self.states()

    def counts(self) -> Counts:
        return Counts(Counter({("LocalConfig", "Stale"): MANY}), Counter())

    async def take_turns(self) -> None:
        while True:
            self._at_once = 0
            await asyncio.sleep(0)


class FewConfigs(ManyConfigs):
    """One of them broken, by two mistakes in its manifest."""

    def states(self) -> Iterator[ConfigState]:
        reference = ConfigReference(GROUP_VERSION, "LocalConfig", "c")
        yield ConfigState(reference, 1, "Stale", "c.yaml:1", "c.yaml:5: bad; c.yaml:6: worse", False, 0)

    def counts(self) -> Counts:
        return Counts(Counter({("LocalConfig", "Stale"): 1, ("LocalConfig", "Ready"): 4}), Counter())


class Source:
    """A config source with many problems and one part that is lost."""

    problems: tuple[Problem, ...] = tuple(Problem("a.yaml", number, "bad") for number in range(MANY))
    state = SourceState((WatchState("Things", True, 0.0), WatchState("Others", False, 7.0, "it is away")))

    def generation(self, _reference: ConfigReference) -> int:
        return 0

    async def load(self) -> None: ...
    async def run(self) -> None: ...


@asynccontextmanager
async def pages(
    configs: ManyConfigs, serving: bool = True, problems: tuple[Problem, ...] = Source.problems
) -> AsyncIterator[aiohttp.ClientSession]:
    source, metrics = Source(), Metrics()
    source.problems = problems
    metrics.watch(
        in_flight=lambda: 0,
        configs=configs.counts,
        problems=lambda: len(source.problems),
        source=lambda: source.state,
    )
    admin = AdminServer(View(lambda: serving, configs, source, metrics))
    address = f"127.0.0.1:{free_port()}"
    await admin.start(address, None)
    turns = asyncio.create_task(configs.take_turns())
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            yield session
    finally:
        turns.cancel()
        await admin.stop()


async def test_the_list_of_configs_lets_calls_in_between() -> None:
    configs = ManyConfigs()
    async with pages(configs) as session, session.get("/configs") as response:
        body = json.loads(await response.text())
        assert response.content_type == "application/json"
    assert (len(body["configs"]), len(body["problems"])) == (MANY, MANY)
    assert body["configs"][7]["name"] == "c7"
    assert body["problems"][7] == {"file": "a.yaml", "line": 7, "message": "bad"}
    assert configs.most_at_once <= 50


async def test_the_head_of_the_list_of_configs_has_no_body() -> None:
    async with pages(ManyConfigs()) as session, session.head("/configs") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_readiness_tells_of_a_few_configs_and_counts_the_rest() -> None:
    configs = ManyConfigs()
    async with pages(configs) as session, session.get("/readyz") as response:
        lines = (await response.text()).splitlines()
    assert lines[0] == "ok: serving"
    assert lines.index("LocalConfig/c0: bad") == 2  # after what is not in sync
    assert lines[22:] == ["and 9980 more: see /configs"]
    assert configs.looked_at == 20


OF_THE_BROKEN = (Problem("c.yaml", 5, "bad"), Problem("c.yaml", 6, "worse"))
LOST = Problem("d.yaml", 2, "spec.token: no such file; its last value stays in use")


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        (OF_THE_BROKEN, []),
        ((*OF_THE_BROKEN, LOST), [str(LOST)]),
        (
            tuple(Problem("d.yaml", number, "lost") for number in range(1, 21)),
            [*(f"d.yaml:{number}: lost" for number in range(1, 20)), "and more problems: see /configs"],
        ),
    ],
    ids=["of the broken only", "a credential that is gone", "too many"],
)
async def test_readiness_tells_problems_of_configs_that_are_in_use(
    problems: tuple[Problem, ...], told: list[str]
) -> None:
    async with pages(FewConfigs(), problems=problems) as session, session.get("/readyz") as response:
        lines = (await response.text()).splitlines()
    assert lines[2:] == ["LocalConfig/c: c.yaml:5: bad; c.yaml:6: worse", *told]


async def test_metrics_look_at_no_config() -> None:
    configs = ManyConfigs()
    async with pages(configs) as session, session.get("/metrics") as response:
        assert 'store_plugin_configs{kind="LocalConfig",state="Stale"} 10000.0' in await response.text()
    assert configs.looked_at == 0


@pytest.mark.parametrize(("serving", "status"), [(True, 200), (False, 503)], ids=["serving", "not yet"])
async def test_a_source_that_is_behind_is_told_everywhere(serving: bool, status: int) -> None:
    async with pages(ManyConfigs(), serving) as session:
        async with session.get("/readyz") as response:
            assert response.status == status
            assert (
                "Others: not in sync for 7 s (the last state serves): it is away\n" in await response.text()
            )
        async with session.get("/configs") as response:
            source = json.loads(await response.text())["source"]
        async with session.get("/metrics") as response:
            metrics = await response.text()
    assert (source["synced"], source["behind_seconds"], len(source["watches"])) == (False, 7.0, 2)
    assert "store_plugin_config_source_synced 0.0\n" in metrics
    assert "store_plugin_config_source_behind_seconds 7.0\n" in metrics
