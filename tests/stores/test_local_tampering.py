"""A local store's file changed behind its back: never a wrong value, always DATA_LOSS."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store_plugin.errors import ConfigInvalid, Tampered
from store_plugin.model import Secret
from tests.stores.local_files import NAME, key, open_local, put

DATA = {"password": b"hunter2", "user": b"admin"}
COLUMNS = [
    *(("secret", column) for column in ("name", "version", "key_id", "sealed")),
    *(("value", column) for column in ("name", "key", "version", "key_id", "sealed")),
]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A closed file with two secrets; `NAME` was written twice."""
    path = tmp_path / "secrets.db"
    store = await open_local(path)
    await put(store, {"password": b"first", "user": b"admin"}, owner="uid")
    await put(store, DATA, owner="uid")
    await put(store, {"password": b"other"}, NAME.parse("team/other"))
    await store.aclose()
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, "the statement changed nothing"


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table} WHERE name = ?", (str(NAME),)).fetchall()


def put_back(path: Path, table: str, old: tuple[object, ...]) -> None:
    places = ", ".join("?" * len(old))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({places})", old)


async def assert_tampered(path: Path) -> None:
    store = await open_local(path)
    try:
        with pytest.raises(Tampered, match=str(NAME)):
            await store.read(NAME)
    finally:
        await store.aclose()


async def test_an_untouched_file_reads(path: Path) -> None:
    store = await open_local(path)
    assert (await store.read(NAME)).secret == Secret(DATA, {"owner": "uid"})
    await store.aclose()


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[".".join(pair) for pair in COLUMNS])
@pytest.mark.parametrize("position", ["first", "middle", "last"])
async def test_a_flipped_byte_in_any_column_is_found(
    path: Path, table: str, column: str, position: str
) -> None:
    where = {"secret": f"name = '{NAME}'", "value": f"name = '{NAME}' AND key = 'password'"}[table]
    with closing(sqlite3.connect(path)) as connection, connection:
        (old,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (flipped(old, position),))
    await assert_tampered(path)


def flipped(value: object, position: str) -> object:
    if isinstance(value, int):
        return value ^ {"first": 1 << 40, "middle": 2, "last": 1}[position]
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[{"first": 0, "middle": len(raw) // 2, "last": -1}[position]] ^= 1
    return raw.decode() if isinstance(value, str) else bytes(raw)


@pytest.mark.parametrize("replacement", ["''", "7", "x'00'", "x'ff'", "1.5", "'text'"], ids=lambda text: text)
@pytest.mark.parametrize("column", ["version", "key_id", "sealed"])
async def test_a_value_of_another_type_is_found(path: Path, column: str, replacement: str) -> None:
    change(path, f"UPDATE value SET {column} = {replacement} WHERE name = '{NAME}' AND key = 'user'")
    await assert_tampered(path)


async def test_a_name_that_is_no_text_is_found(path: Path) -> None:
    change(path, f"UPDATE value SET key = CAST(x'ff' AS TEXT) WHERE name = '{NAME}' AND key = 'user'")
    await assert_tampered(path)


async def test_values_swapped_between_keys_are_found(path: Path) -> None:
    change(
        path,
        f"UPDATE value SET key = 'swap' WHERE name = '{NAME}' AND key = 'user'",
        f"UPDATE value SET key = 'user' WHERE name = '{NAME}' AND key = 'password'",
        f"UPDATE value SET key = 'password' WHERE name = '{NAME}' AND key = 'swap'",
        "UPDATE value SET version = 2",
    )
    await assert_tampered(path)


async def test_sealed_values_swapped_between_secrets_are_found(path: Path) -> None:
    change(
        path,
        "UPDATE value SET sealed = (SELECT sealed FROM value WHERE name = 'team/other') "
        f"WHERE name = '{NAME}' AND key = 'password'",
    )
    await assert_tampered(path)


async def test_a_secret_under_another_name_is_found(path: Path) -> None:
    change(
        path,
        f"DELETE FROM value WHERE name = '{NAME}'",
        f"DELETE FROM secret WHERE name = '{NAME}'",
        f"UPDATE value SET name = '{NAME}' WHERE name = 'team/other'",
        f"UPDATE secret SET name = '{NAME}' WHERE name = 'team/other'",
    )
    await assert_tampered(path)


@pytest.mark.parametrize("key_name", ["password", "user"])
async def test_a_removed_value_is_found(path: Path, key_name: str) -> None:
    change(path, f"DELETE FROM value WHERE name = '{NAME}' AND key = '{key_name}'")
    await assert_tampered(path)


async def test_an_added_value_is_found(path: Path) -> None:
    change(
        path,
        "INSERT INTO value SELECT name, 'more', version, key_id, sealed FROM value "
        f"WHERE name = '{NAME}' LIMIT 1",
    )
    await assert_tampered(path)


async def test_values_without_their_secret_are_found(path: Path) -> None:
    change(path, f"DELETE FROM secret WHERE name = '{NAME}'")
    await assert_tampered(path)


@pytest.mark.parametrize("table", ["value", "secret"])
async def test_a_row_put_back_as_it_was_is_found(path: Path, table: str) -> None:
    old = rows(path, table)
    store = await open_local(path)
    await put(store, {"password": b"third", "user": b"root"}, owner="uid")
    await store.aclose()
    put_back(path, table, old[0])
    await assert_tampered(path)


async def test_a_row_of_another_file_with_the_same_key_is_found(path: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.db"
    store = await open_local(twin)
    await put(store, {"password": b"first", "user": b"admin"}, owner="uid")
    await put(store, DATA, owner="uid")
    await store.aclose()
    assert [row[:3] for row in rows(twin, "value")] == [row[:3] for row in rows(path, "value")]
    put_back(path, "value", rows(twin, "value")[0])
    await assert_tampered(path)


async def test_a_changed_key_check_is_found(path: Path) -> None:
    change(path, "UPDATE key_check SET sealed = x'00'")
    with pytest.raises(Tampered, match="key check"):
        await open_local(path)


async def test_without_its_key_check_a_foreign_key_still_reads_nothing(path: Path) -> None:
    change(path, "DELETE FROM key_check")
    store = await open_local(path, key(2))
    with pytest.raises(Tampered):
        await store.read(NAME)
    await store.aclose()


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM file", "UPDATE file SET id = 'text'", "DROP TABLE value", "DROP TABLE key_check"],
)
async def test_a_damaged_frame_of_the_file_is_never_taken_for_an_empty_store(
    path: Path, statement: str
) -> None:
    change(path, statement)
    with pytest.raises(Tampered):
        await open_local(path)


@pytest.mark.parametrize("counter", ["0", "-5"])
async def test_a_turned_back_counter_does_not_repeat_a_secret_s_version(path: Path, counter: str) -> None:
    change(path, f"UPDATE file SET last_version = {counter}")
    store = await open_local(path)
    base = await store.read(NAME)
    version = await store.write(NAME, Secret({"a": b"1"}), base=base)
    assert int(version or 0) > int(base.version or 0)
    await store.aclose()


@pytest.mark.parametrize("counter", [str(2**63 - 1), "'x'"])
async def test_a_damaged_counter_is_found_by_the_next_write(path: Path, counter: str) -> None:
    change(path, f"UPDATE file SET last_version = {counter}")
    store = await open_local(path)
    with pytest.raises(Tampered, match="damaged"):
        await put(store, {"a": b"1"})
    assert (await store.read(NAME)).secret.data == DATA
    await store.aclose()


async def test_overwritten_pages_are_damage_or_found(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for start in range(4096, len(raw), 512):
        raw[start : start + 64] = bytes(64)
    path.write_bytes(raw)
    with pytest.raises((Tampered, ConfigInvalid)):
        store = await open_local(path)
        try:
            await store.read(NAME)
        finally:
            await store.aclose()


async def test_other_secrets_still_read(path: Path) -> None:
    change(path, f"DELETE FROM value WHERE name = '{NAME}'")
    store = await open_local(path)
    assert (await store.read(NAME.parse("team/other"))).secret.data == {"password": b"other"}
    await store.aclose()
