"""Configs of a cluster in force, as they are there, and swapped only for a change that means one."""

from pathlib import Path

from store_plugin.config.table import ConfigStatus
from tests.config.kubernetes.conftest import Followed, Shelves, source_of
from tests.support.kubernetes import Cluster
from tests.support.waiting import until


async def test_configs_are_there_after_load(followed: Followed, shelves: Shelves) -> None:
    shelves.write("a")
    shelves.write("b", "https://two")
    async with followed.running():
        assert (followed.server("a"), followed.server("b")) == ("https://one", "https://two")
        assert followed.synced
        assert followed.source.problems == ()


async def test_changes_additions_and_removals_are_followed(followed: Followed, shelves: Shelves) -> None:
    shelves.write("a")
    async with followed.running():
        shelves.write("a", "https://two")
        shelves.write("b")
        await until(lambda: followed.server("a") == "https://two" and followed.server("b"))
        assert followed.generation("a") == 2
        shelves.delete("a")
        await until(lambda: followed.config("a") is None)


async def test_what_is_no_change_of_the_spec_changes_nothing(followed: Followed, shelves: Shelves) -> None:
    shelves.write("a")
    async with followed.running():
        before = followed.config("a")
        shelves.touch("a", {"metadata": {"labels": {"team": "x"}}})
        condition = {
            "type": "Ready",
            "status": "True",
            "reason": "Fine",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        shelves.touch("a", {"status": {"conditions": [condition]}}, "/status")
        shelves.write("b")
        await until(lambda: followed.server("b"))
        assert followed.config("a") is before


async def test_a_config_deleted_and_made_again_is_another_one(followed: Followed, shelves: Shelves) -> None:
    shelves.write("a")
    async with followed.running():
        shelves.delete("a")
        shelves.write("a", "https://two")
        await until(lambda: followed.server("a") == "https://two")


async def test_one_name_in_two_kinds_is_two_configs(followed: Followed, shelves: Shelves) -> None:
    shelves.write("a")
    shelves.write("a", "https://other", kind="OtherConfig")
    async with followed.running():
        assert followed.server("a") == "https://one"
        assert followed.server("a", "OtherConfig") == "https://other"
        shelves.delete("a")
        await until(lambda: followed.config("a") is None)
        assert followed.server("a", "OtherConfig") == "https://other"


async def test_an_object_that_slipped_past_validation_keeps_the_last_good_spec(
    followed: Followed, shelves: Shelves
) -> None:
    shelves.write("a")
    async with followed.running():
        shelves.write("a", "ftp://two")
        await until(lambda: followed.source.problems)
        config = followed.config("a")
        assert config is not None
        assert (config.status, followed.server("a")) == (ConfigStatus.STALE, "https://one")
        (problem,) = followed.source.problems
        assert problem.place == "ShelfConfig/a"
        assert "spec.server" in problem.message
        assert followed.log.events("warning").count("config problem") == 1
        shelves.write("a", "https://three")
        await until(lambda: followed.server("a") == "https://three" and not followed.source.problems)


async def test_an_object_that_never_was_valid_is_told_and_taken_when_it_is(
    followed: Followed, shelves: Shelves
) -> None:
    shelves.write("a", "ftp://one")
    async with followed.running():
        config = followed.config("a")
        assert config is not None
        assert config.status is ConfigStatus.INVALID
        shelves.write("a")
        await until(lambda: followed.server("a") == "https://one")


async def test_many_changes_at_once_are_all_taken(followed: Followed, shelves: Shelves) -> None:
    async with followed.running():
        for number in range(60):
            shelves.write(f"c{number}", f"https://{number}")
        await until(lambda: all(followed.server(f"c{n}") == f"https://{n}" for n in range(60)))


async def test_more_than_a_page_is_listed_page_by_page(
    shelves: Shelves, cluster: Cluster, tmp_path: Path, monkeypatch: object
) -> None:
    import store_plugin.watching.requests as requests

    for number in range(7):
        shelves.write(f"c{number}")
    monkeypatch.setattr(requests, "PAGE", 3)  # type: ignore[attr-defined]
    async with source_of(shelves, cluster.kubeconfig(), tmp_path) as followed, followed.running():
        assert len(followed.table.all()) == 7
