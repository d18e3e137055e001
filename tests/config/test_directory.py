"""A directory followed while it changes in all the ways directories change."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store_plugin.config import directory as module
from store_plugin.config.directory import DirectorySource
from store_plugin.config.table import ConfigStatus, ConfigTable, LoadedConfig
from tests.config.conftest import Kinds
from tests.config.manifest_text import documents, reference, secret, shelf
from tests.support.fakes import RecordingLog
from tests.support.waiting import until

CANARY = "s.CAESIcanaryX7f3"
USES_LOGIN = (
    "{server: 'https://x', keys: [{source: Secret, secretRef: {namespace: vault, name: login, key: token}}]}"
)


class Followed:
    """A source and what it keeps, with quick intervals."""

    def __init__(self, directory: Path, kinds: Kinds, log: RecordingLog, *, rescan: float = 0.3) -> None:
        self.directory = directory
        self.log = log
        self.table = ConfigTable()
        self.source = DirectorySource(
            directory, kinds, self.table, log, {}, poll_interval=0.05, rescan_interval=rescan, settle=0.02
        )

    def config(self, name: str) -> LoadedConfig | None:
        return self.table.get(reference(name))

    def server(self, name: str) -> str | None:
        config = self.config(name)
        return None if config is None else getattr(config.spec, "server", None)

    def write(self, file: str, text: str) -> None:
        """In one step, as editors and Kubernetes do it."""
        beside = self.directory / f".{file}.new"
        beside.write_text(text)
        beside.rename(self.directory / file)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.source.load()
        task = asyncio.create_task(self.source.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()


@pytest.fixture
def followed(configs: Path, kinds: Kinds, log: RecordingLog) -> Followed:
    return Followed(configs, kinds, log)


async def test_configs_are_there_after_load(followed: Followed) -> None:
    followed.write("a.yaml", documents(shelf("a"), shelf("b")))
    await followed.source.load()
    assert (followed.server("a"), followed.server("b")) == ("https://one", "https://one")
    assert followed.source.problems == ()


async def test_added_changed_and_removed_files_take_effect(followed: Followed) -> None:
    async with followed.running():
        followed.write("a.yaml", shelf("a"))
        await until(lambda: followed.server("a") == "https://one")
        followed.write("a.yaml", shelf("a", "{server: 'https://two'}"))
        await until(lambda: followed.server("a") == "https://two")
        (followed.directory / "a.yaml").unlink()
        await until(lambda: followed.config("a") is None)


async def test_a_file_changed_in_place_takes_effect(followed: Followed) -> None:
    followed.write("a.yaml", shelf("a"))
    async with followed.running():
        (followed.directory / "a.yaml").write_text(shelf("a", "{server: 'https://two'}"))
        await until(lambda: followed.server("a") == "https://two")


async def test_what_changed_between_load_and_run_takes_effect(followed: Followed) -> None:
    followed.write("a.yaml", shelf("a"))
    await followed.source.load()
    followed.write("a.yaml", shelf("a", "{server: 'https://two'}"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(followed.source.run())
        await until(lambda: followed.server("a") == "https://two")
        task.cancel()


async def test_a_config_that_moves_to_another_file_is_never_away(followed: Followed) -> None:
    followed.write("a.yaml", shelf("a"))
    told: list[object] = []
    async with followed.running():
        followed.table.subscribe(lambda changed: told.append(followed.config("a")))
        (followed.directory / "a.yaml").rename(followed.directory / "b.yaml")
        await until(lambda: (config := followed.config("a")) and config.source == "b.yaml:1")
    assert None not in told


async def test_a_file_being_written_is_taken_when_it_holds_still(followed: Followed) -> None:
    before, after = shelf("a"), documents(shelf("a", "{server: 'https://two'}"), shelf("b"))
    followed.write("a.yaml", before)
    await followed.source.load()
    path = followed.directory / "a.yaml"
    looks = iter([after[:30], after[: len(shelf("a")) - 8], after, after])
    original = followed.source._look

    async def look_while_it_is_written() -> object:
        """Each look finds the writer one step further."""
        if (text := next(looks, None)) is not None:
            path.write_text(text)
        return await original()

    seen: list[str | None] = []
    followed.table.subscribe(lambda changed: seen.append(followed.server("a")))
    followed.source._look = look_while_it_is_written  # type: ignore[method-assign]
    await followed.source.refresh()
    assert seen == ["https://two"]
    assert followed.source.problems == ()


async def test_an_invalid_file_keeps_the_last_good_config_and_is_logged_once(followed: Followed) -> None:
    followed.write("a.yaml", shelf("a"))
    async with followed.running():
        followed.write("a.yaml", shelf("a", f"{{server: {CANARY}}}"))
        await until(lambda: (config := followed.config("a")) and config.error)
        followed.write("other.yaml", shelf("other"))
        await until(lambda: followed.config("other"))
        await followed.source.refresh()
        config = followed.config("a")
        assert config is not None
        assert (config.status, config.generation, followed.server("a")) == (
            ConfigStatus.STALE,
            1,
            "https://one",
        )
        (problem,) = followed.source.problems
        assert (problem.file, problem.line) == ("a.yaml", 5)
        assert followed.log.events("warning") == ["config problem"]
        followed.write("a.yaml", shelf("a"))
        await until(lambda: not followed.source.problems)
    assert CANARY not in followed.log.text


async def test_a_problem_that_comes_back_is_logged_again(followed: Followed) -> None:
    for text in ("a: b: c", shelf("a"), "a: b: c", "a: b: c"):
        followed.write("a.yaml", text)
        await followed.source.refresh()
    assert followed.log.events("warning") == ["config problem"] * 2


async def test_a_config_map_swapped_by_its_link_takes_effect(followed: Followed) -> None:
    for version, server in (("..1", "https://one"), ("..2", "https://two")):
        (followed.directory / version).mkdir()
        (followed.directory / version / "a.yaml").write_text(shelf("a", f"{{server: '{server}'}}"))
    (followed.directory / "..data").symlink_to("..1")
    (followed.directory / "a.yaml").symlink_to("..data/a.yaml")
    async with followed.running():
        assert followed.server("a") == "https://one"
        (followed.directory / "..data_tmp").symlink_to("..2")
        (followed.directory / "..data_tmp").rename(followed.directory / "..data")
        shutil.rmtree(followed.directory / "..1")
        await until(lambda: followed.server("a") == "https://two")
        assert followed.source.problems == ()


async def test_a_directory_that_vanishes_keeps_everything_and_is_followed_when_back(
    followed: Followed,
) -> None:
    followed.write("a.yaml", shelf("a"))
    away = followed.directory.with_name("away")
    async with followed.running():
        followed.directory.rename(away)
        await until(lambda: followed.source.problems)
        assert followed.server("a") == "https://one"
        assert "cannot be read" in followed.source.problems[0].message
        followed.directory.mkdir()
        followed.write("a.yaml", shelf("a", "{server: 'https://two'}"))
        await until(lambda: followed.server("a") == "https://two" and not followed.source.problems)
        followed.write("a.yaml", shelf("a", "{server: 'https://three'}"))
        await until(lambda: followed.server("a") == "https://three")


async def test_a_directory_replaced_by_its_link_is_followed_and_watched(
    tmp_path: Path, kinds: Kinds, log: RecordingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches: list[Path] = []
    original = module.awatch
    monkeypatch.setattr(
        module, "awatch", lambda path, **options: watches.append(path.resolve()) or original(path, **options)
    )
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(shelf("a", f"{{server: 'https://{name}'}}"))
    link = tmp_path / "link"
    link.symlink_to("one")
    followed = Followed(link, kinds, log)
    async with followed.running():
        await until(lambda: watches)
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(link)
        await until(lambda: followed.server("a") == "https://two")
        await until(lambda: watches == [tmp_path / "one", tmp_path / "two"])
        (tmp_path / "two" / "a.yaml").write_text(shelf("a", "{server: 'https://three'}"))
        await until(lambda: followed.server("a") == "https://three")


async def test_a_directory_missing_at_the_start_is_a_problem_until_it_is_there(
    tmp_path: Path, kinds: Kinds, log: RecordingLog
) -> None:
    followed = Followed(tmp_path / "later", kinds, log)
    async with followed.running():
        assert len(followed.source.problems) == 1
        followed.directory.mkdir()
        followed.write("a.yaml", shelf("a"))
        await until(lambda: followed.server("a") and not followed.source.problems)


async def test_without_a_watch_changes_are_found_by_looking(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watch(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(module, "awatch", no_watch)
    async with followed.running():
        for server in ("https://two", "https://three"):
            followed.write("a.yaml", shelf("a", f"{{server: '{server}'}}"))
            await until(lambda server=server: followed.server("a") == server)
    assert followed.log.events("warning") == [
        "config directory cannot be watched, only looked at now and then"
    ]


async def test_changes_are_told_by_the_watch_long_before_the_next_look(
    configs: Path, kinds: Kinds, log: RecordingLog
) -> None:
    followed = Followed(configs, kinds, log, rescan=3600.0)
    async with followed.running():
        for server in ("https://two", "https://three"):
            followed.write("a.yaml", shelf("a", f"{{server: '{server}'}}"))
            await until(lambda server=server: followed.server("a") == server)


async def test_a_rotated_secret_manifest_is_announced_without_a_new_generation(followed: Followed) -> None:
    followed.write("a.yaml", shelf("a", USES_LOGIN))
    followed.write("login.yaml", secret("login", f"{{token: {CANARY}}}"))
    async with followed.running():
        config = followed.config("a")
        assert config is not None
        await config.credentials.load()
        assert config.credentials.get("keys.0") == CANARY.encode()
        told: list[bytes] = []
        config.credentials.subscribe(lambda: told.append(config.credentials.get("keys.0")))
        followed.write("login.yaml", secret("login", "{token: rotated}"))
        await until(lambda: told)
        assert told == [b"rotated"]
        assert followed.config("a") is config
    assert CANARY not in followed.log.text


async def test_a_secret_that_vanishes_is_a_problem_of_the_configs_that_use_it(followed: Followed) -> None:
    followed.write("a.yaml", shelf("a", USES_LOGIN))
    followed.write("login.yaml", secret("login", f"{{token: {CANARY}}}"))
    async with followed.running():
        config = followed.config("a")
        assert config is not None
        await config.credentials.load()
        (followed.directory / "login.yaml").unlink()
        await until(lambda: followed.source.problems)
        (problem,) = followed.source.problems
        assert str(problem).startswith("a.yaml:1: spec.keys.0: the Secret vault/login does not exist")
        assert config.credentials.get("keys.0") == CANARY.encode()


async def test_problems_walk_the_configs_only_where_a_credential_was_lost(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.write("a.yaml", shelf("a", USES_LOGIN))
    await followed.source.load()
    monkeypatch.setattr(followed.table, "all", None)
    assert followed.source.problems == ()


async def test_a_rotated_credential_file_is_announced(followed: Followed, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    followed.write(
        "a.yaml",
        shelf("a", f"{{server: 'https://x', keys: [{{source: Filesystem, fs: {{path: {token}}}}}]}}"),
    )
    async with followed.running():
        config = followed.config("a")
        assert config is not None
        await config.credentials.load()
        told: list[bytes] = []
        config.credentials.subscribe(lambda: told.append(config.credentials.get("keys.0")))
        token.write_text("two\n")
        await until(lambda: told)
        assert told == [b"two"]


async def test_ten_thousand_configs_load_and_one_of_them_changes(followed: Followed) -> None:
    for number in range(10_000):
        (followed.directory / f"{number}.yaml").write_text(shelf(f"c{number}"))
    await followed.source.load()
    assert followed.table.counts() == {("ShelfConfig", ConfigStatus.VALID): 10_000}
    followed.write("77.yaml", shelf("c77", "{server: 'https://two'}"))
    told: list[int] = []
    followed.table.subscribe(lambda changed: told.append(len(changed)))
    await followed.source.refresh()
    assert (followed.server("c77"), told) == ("https://two", [1])


async def test_the_event_loop_is_free_while_files_are_read(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.write("a.yaml", shelf("a"))
    reading, go_on = threading.Event(), threading.Event()
    original = followed.source._reader.read

    def slow_read(*arguments: object) -> bool:
        reading.set()
        assert go_on.wait(20)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(followed.source._reader, "read", slow_read)
    task = asyncio.create_task(followed.source.load())
    await until(reading.is_set)
    assert not task.done()
    go_on.set()
    await task
    assert followed.server("a") == "https://one"
