"""Kinds that come, or come with another model, while a cluster is followed."""

from pathlib import Path

from pydantic import Field

from store_plugin.config.table import ConfigStatus
from tests.config.kubernetes.conftest import Followed, Shelves, source_of
from tests.support.fakes import FakeKind, ShelfSpec
from tests.support.waiting import until


class NarrowSpec(ShelfSpec):
    """Another model of the kind: with fewer shelves."""

    shelves: int = Field(default=1, le=2)


async def test_configs_of_a_kind_that_comes_are_read_and_followed(shelves: Shelves, tmp_path: Path) -> None:
    kind = (shelves.api_version, "ShelfConfig")
    del shelves.kinds[kind]
    shelves.write("a")
    async with source_of(shelves, shelves.cluster.kubeconfig(), tmp_path) as followed, followed.running():
        assert followed.config("a") is None
        shelves.kinds[kind] = FakeKind()
        followed.source.kinds_changed({kind})
        assert followed.table.unread(*kind) == "nothing is known of them yet"
        await until(lambda: followed.server("a") == "https://one")
        assert followed.table.unread(*kind) is None
        shelves.write("a", "https://two")
        await until(lambda: followed.server("a") == "https://two")


async def test_objects_are_held_against_another_model(followed: Followed, shelves: Shelves) -> None:
    kind = (shelves.api_version, "ShelfConfig")
    shelves.write("a", shelves=3)
    shelves.write("b")
    async with followed.running():
        shelves.kinds[kind].factory.spec_model = NarrowSpec  # type: ignore[assignment]
        followed.source.kinds_changed({kind})
        await until(lambda: followed.source.problems)
        config = followed.config("a")
        assert config is not None
        assert (config.status, config.generation) == (ConfigStatus.STALE, 1)
        assert followed.generation("b") == 2
        shelves.write("b", "https://two")
        await until(lambda: followed.server("b") == "https://two")
