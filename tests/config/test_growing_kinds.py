"""Kinds that come, or come with another model, while a directory is followed."""

import asyncio
from pathlib import Path

import pytest

from store_plugin import signatures
from store_plugin.config.table import ConfigStatus
from tests.config.conftest import Kinds
from tests.config.manifest_text import documents, reference, shelf
from tests.config.test_directory import Followed
from tests.support.fakes import GROUP_VERSION, FakeKind, RecordingLog, ShelfSpec
from tests.support.waiting import until

SHELF = (GROUP_VERSION, "ShelfConfig")


class Growing(dict[tuple[str, str], FakeKind]):
    """Kinds of our group may come."""

    def may_come(self, api_version: str, kind: str) -> bool:
        return api_version == GROUP_VERSION and (api_version, kind) not in self

    def plural(self, api_version: str, kind: str) -> str | None:
        return None


class NarrowSpec(ShelfSpec):
    """Another model of the kind: without a field that the first one had."""

    shelves: None = None  # type: ignore[assignment]


@pytest.fixture
def kinds() -> Kinds:
    return Growing({(GROUP_VERSION, "OtherConfig"): FakeKind()})


@pytest.fixture
def followed(configs: Path, kinds: Kinds, log: RecordingLog) -> Followed:
    return Followed(configs, kinds, log)


async def test_a_config_is_a_problem_until_its_kind_comes(followed: Followed, kinds: Kinds) -> None:
    followed.write("a.yaml", documents(shelf("a"), shelf("b")))
    async with followed.running():
        (problem, _) = followed.source.problems
        assert problem.message == "kind: ShelfConfig is served once a plugin that brings this kind connects"
        assert problem.line == 2
        kinds[SHELF] = FakeKind()
        followed.source.kinds_changed({SHELF})
        await until(lambda: followed.server("a") and followed.server("b"))
        assert followed.source.problems == ()


async def test_a_config_that_may_come_takes_nothing_else_of_its_file_away(followed: Followed) -> None:
    other = shelf("c").replace("ShelfConfig", "OtherConfig")
    followed.write("a.yaml", documents(shelf("a"), other))
    async with followed.running():
        followed.write("a.yaml", shelf("a"))
        found = reference("c").__class__(GROUP_VERSION, "OtherConfig", "c")
        await until(lambda: followed.table.get(found) is None)


async def test_a_config_that_does_not_fit_the_new_model_keeps_its_last_good_spec(
    followed: Followed, kinds: Kinds
) -> None:
    kinds[SHELF] = FakeKind()
    followed.write("a.yaml", shelf("a", "{server: 'https://one', shelves: 3}"))
    followed.write("b.yaml", shelf("b"))
    async with followed.running():
        factory = kinds[SHELF].factory
        factory.spec_model = NarrowSpec  # type: ignore[assignment]
        followed.source.kinds_changed({SHELF})
        await until(lambda: followed.source.problems)
        a, b = followed.config("a"), followed.config("b")
        assert a is not None
        assert (a.status, a.generation) == (ConfigStatus.STALE, 1)
        assert b is not None
        assert (b.status, b.generation) == (ConfigStatus.VALID, 2)


async def test_other_kinds_are_not_read_again(followed: Followed, kinds: Kinds) -> None:
    other = kinds[GROUP_VERSION, "OtherConfig"]
    followed.write("a.yaml", shelf("a"))
    followed.write("c.yaml", shelf("c").replace("ShelfConfig", "OtherConfig"))
    async with followed.running():
        loads = other.loads
        kinds[SHELF] = FakeKind()
        followed.source.kinds_changed({SHELF})
        await until(lambda: followed.server("a"))
        assert other.loads == loads


async def test_a_kind_that_comes_waits_for_no_file_that_holds_still(
    configs: Path, kinds: Kinds, log: RecordingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_RACY_SECONDS", -3600.0)  # as if it had been written long ago
    followed = Followed(configs, kinds, log)
    followed.write("a.yaml", shelf("a"))
    await followed.source.load()
    kinds[SHELF] = FakeKind()
    followed.source.kinds_changed({SHELF})
    followed.source._settle = 3600.0
    async with asyncio.timeout(20):
        await followed.source.refresh()
    assert followed.server("a")
