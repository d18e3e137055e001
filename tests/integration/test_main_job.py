"""The main job: publish, read and delete secrets in the store that the reference names."""

import sqlite3
from uuid import uuid4

import pytest

from store_plugin.client import Client
from store_plugin.errors import NotOwner, TooLarge
from store_plugin.model import OWNER_LABEL
from tests.integration.conftest import STORES, World
from tests.support.openbao_api import ApiError

DETAILS = {"username": b"admin", "password": b"s3cret", "binary": b"\x00\xff\xfe", "empty": b""}


def fresh() -> str:
    return f"team-a/{uuid4().hex}"


@pytest.mark.parametrize("config", STORES)
def test_published_details_are_read_back_and_gone_after_delete(client: Client, config: str) -> None:
    name = fresh()
    assert client.apply(config, name, DETAILS, owner="uid-1").changed
    fetched = client.get(config, name)
    assert dict(fetched.data) == DETAILS
    assert fetched.metadata[OWNER_LABEL] == "uid-1"
    assert not client.apply(config, name, DETAILS, owner="uid-1").changed
    client.delete(config, name, owner="uid-1")
    assert not client.get(config, name).data


@pytest.mark.parametrize("config", STORES)
def test_an_apply_merges_and_names_what_changed(client: Client, config: str) -> None:
    name = fresh()
    client.apply(config, name, {"a": b"1", "b": b"2"})
    applied = client.apply(config, name, {"b": b"3", "c": b"4"})
    assert {(change.key, change.kind.name) for change in applied.changes} == {
        ("b", "UPDATED"),
        ("c", "ADDED"),
    }
    assert dict(client.get(config, name).data) == {"a": b"1", "b": b"3", "c": b"4"}


@pytest.mark.parametrize("config", STORES)
def test_a_partial_delete_removes_just_those_keys(client: Client, config: str) -> None:
    name = fresh()
    client.apply(config, name, {"a": b"1", "b": b"2"})
    client.delete_keys(config, name, ["a", "never-there"])
    assert dict(client.get(config, name).data) == {"b": b"2"}


@pytest.mark.parametrize("config", STORES)
def test_a_dry_run_writes_nothing(client: Client, config: str) -> None:
    name = fresh()
    assert client.apply(config, name, {"a": b"1"}, dry_run=True).changed
    assert not client.get(config, name).data


@pytest.mark.parametrize("config", STORES)
def test_a_foreign_owner_is_refused_and_nothing_changes(client: Client, config: str) -> None:
    name = fresh()
    client.apply(config, name, {"a": b"1"}, owner="uid-1")
    with pytest.raises(NotOwner, match="uid-2"):
        client.apply(config, name, {"a": b"2"}, owner="uid-2")
    assert client.get(config, name).data["a"] == b"1"


def test_the_reference_chooses_the_store(client: Client) -> None:
    name = fresh()
    for config in STORES:
        client.apply(config, name, {"where": config.encode()})
    for config in STORES:
        assert client.get(config, name).data["where"] == config.encode()


def test_openbao_holds_the_secret_and_its_owner(client: Client, world: World) -> None:
    name = fresh()
    client.apply("VaultConfig/v2", name, {"password": b"s3cret"}, owner="uid-1")
    stored = world.bao.api("GET", f"{world.mounts['v2']}/data/{name}")["data"]
    assert stored["data"] == {"password": "s3cret"}
    assert stored["metadata"]["custom_metadata"] == {OWNER_LABEL: "uid-1"}
    client.delete("VaultConfig/v2", name)
    with pytest.raises(ApiError, match="404"):
        world.bao.api("GET", f"{world.mounts['v2']}/metadata/{name}")


def test_a_foreign_secret_beyond_the_largest_answer_is_too_large(client: Client, world: World) -> None:
    name = fresh()
    document = {f"k{number}": "x" * 900_000 for number in range(10)}
    world.bao.api("POST", f"{world.mounts['v2']}/data/{name}", {"data": document})
    with pytest.raises(TooLarge, match=name):
        client.get("VaultConfig/v2", name)


def test_the_local_file_holds_no_value_in_the_clear(client: Client, world: World) -> None:
    name = fresh()
    client.apply("LocalConfig/files", name, {"password": b"canary-in-the-file"}, owner="canary-owner-uid")
    with sqlite3.connect(world.data / "files.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in world.data.glob("files.db*"):
        content = path.read_bytes()
        assert b"canary-in-the-file" not in content
        assert b"canary-owner-uid" not in content
