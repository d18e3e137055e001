"""The local store's file: who may read it, what is in it, and what can go wrong with it."""

import asyncio
import sqlite3
import stat
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from store_plugin.errors import ConfigInvalid, StoreUnavailable
from store_plugin.model import ABSENT, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Store
from store_plugin.testing.environment import RecordingLog
from stores.local import file, session
from tests.stores.local_files import NAME, open_local, put
from tests.support.waiting import until

CANARY = b"canary-value-7f3a"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = await open_local(path)
    yield store
    await store.aclose()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_the_owner_may_read_any_of_its_files(path: Path, store: Store) -> None:
    await put(store, {"a": b"1"})
    files = sorted(path.parent.iterdir())
    assert [found.name for found in files] == ["secrets.db", "secrets.db-shm", "secrets.db-wal"]
    assert {mode_of(found) for found in files} == {0o600}


async def test_a_wider_mode_is_narrowed(path: Path) -> None:
    await (await open_local(path)).aclose()
    path.chmod(0o644)
    store = await open_local(path)
    assert mode_of(path) == 0o600
    await store.aclose()


async def test_no_value_and_no_metadata_is_in_the_files_in_plain(path: Path, store: Store) -> None:
    await put(store, {"key-name": CANARY + b"\xff"}, label="canary-label")
    # The write-ahead log is there while the store is open. A child reads it: if this
    # process opened and closed the file, SQLite's locks on it would be gone.
    raw = await asyncio.to_thread(read_in_a_child, path)
    assert b"key-name" in raw, "names are not sealed: the search below looks at the right bytes"
    assert CANARY not in raw
    assert b"canary-label" not in raw


def read_in_a_child(path: Path) -> bytes:
    return subprocess.run(
        ["cat", path, path.with_name(path.name + "-wal")], check=True, capture_output=True
    ).stdout


async def test_drafts_of_the_file_are_removed(path: Path, store: Store) -> None:
    await put(store, {"a": b"1"})
    assert [found for found in path.parent.iterdir() if found.name.endswith(".new")] == []


async def test_two_stores_make_one_file(path: Path) -> None:
    stores = await asyncio.gather(*(open_local(path) for _ in range(8)))
    await asyncio.gather(
        *(
            put(store, {"by": b"%d" % number}, NAME.parse(f"n/{number}"))
            for number, store in enumerate(stores)
        )
    )
    for number in range(8):
        stored = await stores[0].read(NAME.parse(f"n/{number}"))
        assert stored.secret.data == {"by": b"%d" % number}
    for opened in stores:
        await opened.aclose()


async def test_unchanged_values_keep_their_sealed_rows(path: Path, store: Store) -> None:
    await put(store, {"kept": b"1", "changed": b"1"})
    before = sealed(path)
    await put(store, {"kept": b"1", "changed": b"2"})
    after = sealed(path)
    assert before["kept"] == after["kept"]
    assert before["changed"] != after["changed"]


def sealed(path: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT key, sealed FROM value").fetchall())


async def test_the_location_is_the_real_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    direct, linked = await open_local(tmp_path / "s.db"), await open_local(tmp_path / "link" / "." / "s.db")
    assert direct.location(NAME) == linked.location(NAME)
    await direct.aclose()
    await linked.aclose()


def a_directory(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("not a database, but long enough to be taken for one\n" * 40)


def empty(path: Path) -> None:
    path.touch()


def another_programs_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (a)")


async def newer_format(path: Path) -> None:
    await (await open_local(path)).aclose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 2")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_directory, "not a file"),
        (text, "no file of this store"),
        (empty, "no file of this store"),
        (another_programs_database, "no file of this store"),
    ],
)
async def test_a_path_that_is_no_store_is_refused_and_left_alone(
    path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(path)
    before = path.stat()
    with pytest.raises(ConfigInvalid, match=message):
        await open_local(path)
    assert (path.stat().st_size, path.stat().st_mode) == (before.st_size, before.st_mode)


async def test_a_newer_format_is_refused(path: Path) -> None:
    await newer_format(path)
    with pytest.raises(ConfigInvalid, match="format 2"):
        await open_local(path)


async def test_a_missing_directory_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="create it"):
        await open_local(tmp_path / "missing" / "secrets.db")


def limited(monkeypatch: pytest.MonkeyPatch, pragma: str) -> None:
    """Connections opened from now on have a limit that a real disk would set."""

    def open_file(path: Path) -> sqlite3.Connection:
        connection = file.open_file(path)
        connection.execute(f"PRAGMA {pragma}").fetchall()
        return connection

    monkeypatch.setattr(session, "open_file", open_file)


async def test_a_full_disk_is_unavailable_and_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, "max_page_count = 30")
    store = await open_local(path)
    await put(store, {"a": b"1"})
    with pytest.raises(StoreUnavailable, match="full"):
        await put(store, {"a": b"x" * 500_000})
    assert (await store.read(NAME)).secret.data == {"a": b"1"}
    await put(store, {"a": b"2"})
    assert (await store.read(NAME)).secret.data == {"a": b"2"}
    await store.aclose()


async def test_a_read_only_file_reads_and_refuses_writes(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(store, {"a": b"1"})
    limited(monkeypatch, "query_only = ON")
    reader = await open_local(path)
    assert (await reader.read(NAME)).secret.data == {"a": b"1"}
    for call in (lambda: put(reader, {"a": b"2"}), lambda: reader.check()):
        with pytest.raises(StoreUnavailable, match="read-only"):
            await call()
    await reader.aclose()


async def test_a_file_locked_for_long_is_unavailable_and_comes_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.local.store.BUSY_SECONDS", 0.05)
    store = await open_local(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked") as caught:
            await put(store, {"a": b"1"})
        assert caught.value.retry_after is not None
        assert await store.read(NAME) == ABSENT, "readers do not wait for a writer"
        other.execute("ROLLBACK")
        await put(store, {"a": b"1"})
        await store.aclose()


async def test_a_writer_that_waits_for_a_lock_holds_nobody_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.local.store.BUSY_SECONDS", 60.0)
    tries = counted_writes(monkeypatch)
    store = await open_local(path)
    await put(store, {"a": b"1"})
    base = await store.read(NAME)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        names = [NAME.parse(f"team/n{number}") for number in range(20)]
        writing = [asyncio.create_task(store.write(name, Secret(), base=ABSENT)) for name in names]
        await asyncio.sleep(0)
        assert await store.read(NAME) == base
        assert not any(task.done() for task in writing), "a read waits for no writer"
        await until(lambda: all(tries[name] > 1 for name in names))
        assert not any(task.done() for task in writing), "they wait side by side"
        other.execute("ROLLBACK")
        await asyncio.gather(*writing)
    await store.aclose()


def counted_writes(monkeypatch: pytest.MonkeyPatch) -> Counter[ScopedName]:
    """How often a write of each name has been tried."""
    tries = Counter[ScopedName]()
    write = session.Session.write

    def counted(self: session.Session, name: ScopedName, secret: Secret, base: StoredSecret) -> Version:
        tries[name] += 1
        return write(self, name, secret, base)

    monkeypatch.setattr(session.Session, "write", counted)
    return tries


async def test_a_disk_that_fails_at_opening_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RecordingLog()

    def failing(path: Path) -> sqlite3.Connection:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(session, "open_file", failing)
        store = await open_local(path, log=log)
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            await store.read(NAME)
    await put(store, {"a": b"1"})
    assert log.events("warning") == ["the file cannot be opened yet"]
    await store.aclose()


async def test_a_file_put_in_place_of_the_open_one_is_used(tmp_path: Path, path: Path, store: Store) -> None:
    await put(store, {"from": b"old"})
    other = await open_local(tmp_path / "other.db")
    await put(other, {"from": b"other"})
    await other.aclose()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    (tmp_path / "other.db").replace(path)
    assert (await store.read(NAME)).secret.data == {"from": b"other"}
    await put(store, {"from": b"new"})
    again = await open_local(path)
    assert (await again.read(NAME)).secret.data == {"from": b"new"}
    await again.aclose()


async def test_a_removed_file_is_not_written_into_the_void(path: Path) -> None:
    log = RecordingLog()
    store = await open_local(path, log=log)
    await put(store, {"a": b"1"})
    assert log.entries == []
    for found in path.parent.iterdir():
        found.unlink()
    await put(store, {"a": b"2"})
    assert log.events("warning") == ["the file was moved away or replaced, opening what is there now"]
    again = await open_local(path)
    assert (await again.read(NAME)).secret.data == {"a": b"2"}
    await again.aclose()
    await store.aclose()


@pytest.mark.parametrize(
    ("mode", "warning"),
    [(0o700, None), (0o750, None), (0o755, "list"), (0o770, "write"), (0o777, "write"), (0o1777, "list")],
    ids=lambda value: oct(value) if isinstance(value, int) else None,
)
async def test_the_check_warns_of_an_open_directory(
    tmp_path: Path, path: Path, store: Store, mode: int, warning: str | None
) -> None:
    tmp_path.chmod(mode)
    warnings = await store.check()
    assert [warning is not None and warning in line for line in warnings] == [True] * bool(warning)


async def test_a_closed_store_is_unavailable(store: Store) -> None:
    await store.aclose()
    for call in (store.read(NAME), store.check(), store.write(NAME, Secret(), base=ABSENT)):
        with pytest.raises(StoreUnavailable):
            await call


async def test_reads_do_not_block_the_event_loop(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While SQLite waits for a lock the event loop goes on."""
    monkeypatch.setattr("stores.local.store.BUSY_SECONDS", 30.0)
    store = await open_local(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(put(store, {"a": b"1"}))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not writing.done()
        other.execute("ROLLBACK")
        await writing
    await store.aclose()


async def test_names_come_in_pages(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stores.local.store._NAMES_A_PAGE", 3)
    expected = [f"team/n{number}" for number in range(7)]
    for name in expected:
        await put(store, {}, NAME.parse(name))
    assert [str(name) async for name in store.names("team")] == expected
