"""What others wrote to the server: ess-plugin-vault, Crossplane, people with a CLI."""

import json
from collections.abc import AsyncIterator

import pytest

from store_plugin.engine import Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import ConfigInvalid, DocumentInvalid, InvalidRequest, TooLarge, VersionNotFound
from store_plugin.model import ABSENT, OWNER_LABEL, Presence, ScopedName, Secret, Version
from stores.vault.http.answer import Answer
from stores.vault.kv import marks
from stores.vault.kv.held import stored_in
from stores.vault.store import VaultStore
from tests.stores.vault.opening import engine_over, open_with_token, soon
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError

NAME = ScopedName.parse("team-a/db")
OWNED = {OWNER_LABEL: "uid-1"}


class Place:
    """A mount, a store on it, and the engine over that."""

    def __init__(self, bao: OpenBao, mount: str, store: VaultStore) -> None:
        self.bao = bao
        self.mount = mount
        self.store = store
        self.engine = engine_over(store)

    def put(self, method: str, path: str, body: object) -> None:
        self.bao.api(method, f"{self.mount}/{path}", body)

    def stored(self, path: str) -> dict[str, object]:
        data: dict[str, object] = self.bao.api("GET", f"{self.mount}/{path}")["data"]
        return data

    def text(self, path: str) -> str:
        return (
            self.bao.text("GET", f"{self.mount}/{path}").partition('"data":')[2].partition(',"wrap_info"')[0]
        )


@pytest.fixture
async def v1(bao: OpenBao) -> AsyncIterator[Place]:
    mount = bao.mount_kv("v1")
    store = await open_with_token(bao, mount, version="v1")
    yield Place(bao, mount, store)
    await store.aclose()


@pytest.fixture
async def v2(bao: OpenBao) -> AsyncIterator[Place]:
    mount = bao.mount_kv("v2")
    store = await open_with_token(bao, mount)
    yield Place(bao, mount, store)
    await store.aclose()


async def apply(engine: Engine, data: dict[str, bytes], metadata: dict[str, str] = OWNED) -> bool:
    return (await engine.apply(NAME, Secret(data, metadata), deadline=soon())).changed


# ess-plugin-vault wrote bytes as strings, metadata before data (v2) or beside it (v1).


async def test_a_version_1_secret_of_ess_plugin_vault(v1: Place) -> None:
    v1.put("PUT", str(NAME), {"user": "admin", "pass": "x", f"metadata:{OWNER_LABEL}": "uid-1"})
    assert (await v1.engine.get(NAME)).secret == Secret({"user": b"admin", "pass": b"x"}, OWNED)
    assert not await apply(v1.engine, {"user": b"admin"})
    assert await apply(v1.engine, {"host": b"db"}, {**OWNED, "env": "prod"})
    assert v1.stored(str(NAME)) == {
        "user": "admin",
        "pass": "x",
        "host": "db",
        f"metadata:{OWNER_LABEL}": "uid-1",
        "metadata:env": "prod",
    }
    await v1.engine.delete(NAME, [], deadline=soon())
    with pytest.raises(ApiError, match="404"):
        v1.stored(str(NAME))


async def test_a_version_2_secret_of_ess_plugin_vault(v2: Place) -> None:
    v2.put("POST", f"metadata/{NAME}", {"custom_metadata": OWNED})
    v2.put("PUT", f"data/{NAME}", {"options": {"cas": 0}, "data": {"user": "admin", "pass": "x"}})
    assert (await v2.engine.get(NAME)).secret == Secret({"user": b"admin", "pass": b"x"}, OWNED)
    assert not await apply(v2.engine, {"user": b"admin"})
    assert await apply(v2.engine, {"host": b"db"}, {**OWNED, "env": "prod"})
    stored = v2.stored(f"data/{NAME}")
    assert stored["data"] == {"user": "admin", "pass": "x", "host": "db"}
    assert stored["metadata"]["custom_metadata"] == {**OWNED, "env": "prod"}  # type: ignore[index]
    await v2.engine.delete(NAME, [], deadline=soon())
    with pytest.raises(ApiError, match="404"):
        v2.stored(f"metadata/{NAME}")


# Values that are no strings.

FOREIGN = '{"port": 5432, "ratio": 1.50, "big": 123456789012345678901234567890, "on": true, "none": null, \
"nested": {"b": [1, 2.50, "x"], "a": {}}, "odd": {"$binary": "not base64"}, "text": "a\\u0000\\u2028é"}'


async def test_version_1_keeps_foreign_values_to_the_last_digit(v1: Place) -> None:
    v1.put("PUT", str(NAME), FOREIGN)
    before = v1.text(str(NAME))
    assert (await v1.engine.get(NAME)).secret.data["big"] == b"123456789012345678901234567890"
    await apply(v1.engine, {"mine": b"\xff"}, {})
    await v1.engine.delete(NAME, ["mine"], deadline=soon())
    assert v1.text(str(NAME)) == before


async def test_version_2_keeps_foreign_values_as_the_server_has_them(v2: Place) -> None:
    v2.put("POST", f"data/{NAME}", {"data": json.loads(FOREIGN)})
    before = v2.stored(f"data/{NAME}")["data"]
    read = (await v2.engine.get(NAME)).secret.data
    assert read["port"] == b"5432"
    assert json.loads(read["nested"]) == {"b": [1, 2.5, "x"], "a": {}}
    await apply(v2.engine, {"mine": b"\xff"}, {})
    assert v2.stored(f"data/{NAME}")["data"] == {**before, "mine": {"$binary": "/w=="}}  # type: ignore[dict-item]
    await v2.engine.delete(NAME, ["mine"], deadline=soon())
    assert v2.stored(f"data/{NAME}")["data"] == before


async def test_a_secret_written_as_null_is_empty(v2: Place) -> None:
    v2.put("POST", f"data/{NAME}", {"data": None})
    stored = await v2.engine.get(NAME)
    assert (stored.present, stored.secret.data) == (True, {})
    assert await apply(v2.engine, {"a": b"1"}, {})
    assert v2.stored(f"data/{NAME}")["data"] == {"a": "1"}


# Metadata.


async def test_foreign_metadata_and_settings_stay(v2: Place) -> None:
    await apply(v2.engine, {"a": b"1"})
    settings = {"max_versions": 3, "delete_version_after": "2h0m0s", "cas_required": True}
    v2.put("POST", f"metadata/{NAME}", {"custom_metadata": {**OWNED, "theirs": "x"}, **settings})
    await apply(v2.engine, {"a": b"2"}, {**OWNED, "ours": "y"})
    stored = v2.stored(f"metadata/{NAME}")
    assert stored["custom_metadata"] == {**OWNED, "theirs": "x", "ours": "y"}
    assert settings.items() <= stored.items()


@pytest.mark.parametrize("patch", [True, False], ids=["patch", "no-patch"])
async def test_metadata_from_before_the_first_version_stays(bao: OpenBao, v2: Place, patch: bool) -> None:
    """As of a place that somebody has prepared. Leftovers of ours are not taken over: an owner, a mark."""
    left = {"team": "x", "ours": "old", OWNER_LABEL: "uid-of-the-past", marks.UNFINISHED: "2"}
    v2.put("POST", f"metadata/{NAME}", {"custom_metadata": left, "max_versions": 3})
    rights = {"data/*": ["create", "read", "update"], "metadata/*": ["update", *["patch"] * patch]}
    policy = bao.policy({f"{v2.mount}/{path}": list(given) for path, given in rights.items()})
    store = await open_with_token(bao, v2.mount, token=bao.token([policy]))
    await apply(engine_over(store), {"a": b"1"}, {"ours": "y"})
    await store.aclose()
    stored = v2.stored(f"metadata/{NAME}")
    assert stored["custom_metadata"] == {"team": "x", "ours": "y"}
    assert stored["max_versions"] == 3


async def test_metadata_from_before_the_first_version_costs_no_request_without_need(
    bao: OpenBao, v2: Place
) -> None:
    v2.put("POST", f"metadata/{NAME}", {"custom_metadata": {"team": "x"}})
    policy = bao.policy({f"{v2.mount}/data/*": ["create", "read", "update"]})
    store = await open_with_token(bao, v2.mount, token=bao.token([policy]))
    await apply(engine_over(store), {"a": b"1"}, {})
    await store.aclose()
    assert v2.stored(f"metadata/{NAME}")["custom_metadata"] == {"team": "x"}


async def test_metadata_added_since_the_read_stays(v2: Place) -> None:
    await apply(v2.engine, {"a": b"1"})
    base = await v2.store.read(NAME)
    v2.put("POST", f"metadata/{NAME}", {"custom_metadata": {**OWNED, "theirs": "x"}})
    wanted = Secret({"a": b"2"}, {**OWNED, "ours": "y"})
    await v2.store.write(NAME, wanted, base=base)
    assert (await v2.store.read(NAME)).secret.metadata == {**OWNED, "theirs": "x", "ours": "y"}


async def test_metadata_left_out_of_a_write_goes(v2: Place) -> None:
    await v2.store.write(NAME, Secret({"a": b"1"}, {"x": "1", "y": "2"}), base=ABSENT)
    await v2.store.write(NAME, Secret({"a": b"1"}, {"y": "2"}), base=await v2.store.read(NAME))
    assert (await v2.store.read(NAME)).secret.metadata == {"y": "2"}


async def test_metadata_without_data_is_no_secret(v2: Place) -> None:
    v2.put("POST", f"metadata/{NAME}", {"custom_metadata": {OWNER_LABEL: "uid-of-the-past"}})
    assert not (await v2.engine.get(NAME)).present
    assert [name async for name in v2.store.names()] == []
    await apply(v2.engine, {"a": b"1"})
    assert (await v2.engine.get(NAME)).secret == Secret({"a": b"1"}, OWNED)


@pytest.mark.parametrize("value", ["", "a\nb", "\x00"], ids=["empty", "newline", "nul"])
async def test_metadata_the_server_refuses_is_refused_before_anything_is_written(
    v2: Place, value: str
) -> None:
    with pytest.raises(InvalidRequest, match="label"):
        await apply(v2.engine, {"a": b"1"}, {"label": value})
    assert not (await v2.engine.get(NAME)).present


async def test_empty_metadata_is_held_by_version_1(v1: Place) -> None:
    await apply(v1.engine, {}, {"label": ""})
    assert (await v1.engine.get(NAME)).secret == Secret({}, {"label": ""})


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({f"k{n}": "v" for n in range(65)}, id="entries"),
        pytest.param({"k" * 129: "v"}, id="key"),
        pytest.param({"k": "v" * 513}, id="value"),
        pytest.param({"k": "é" * 257}, id="value-in-bytes"),
    ],
)
async def test_more_metadata_than_version_2_holds(v2: Place, metadata: dict[str, str]) -> None:
    with pytest.raises(TooLarge):
        await apply(v2.engine, {"a": b"1"}, metadata)


async def test_as_much_metadata_as_version_2_holds(v2: Place) -> None:
    metadata = {f"{n:0128}": "v" * 512 for n in range(64)}
    await apply(v2.engine, {"a": b"1"}, metadata)
    assert (await v2.engine.get(NAME)).secret.metadata == metadata


# Versions and tombstones.


async def test_a_deleted_older_version_is_a_tombstone(v2: Place) -> None:
    for value in (b"1", b"2"):
        await apply(v2.engine, {"a": value})
    v2.put("POST", f"delete/{NAME}", {"versions": [1]})
    assert (await v2.store.read(NAME, Version("1"))).presence is Presence.TOMBSTONE


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "01x", "", "9" * 30, "٣"])
async def test_what_is_no_version_does_not_mean_the_latest(v2: Place, version: str) -> None:
    await apply(v2.engine, {"a": b"1"})
    with pytest.raises(VersionNotFound):
        await v2.store.read(NAME, Version(version))


async def test_a_secret_that_expires_is_there_until_then(v2: Place) -> None:
    """Its deletion time lies ahead: no tombstone yet."""
    v2.put("POST", f"metadata/{NAME}", {"delete_version_after": "1h"})
    await apply(v2.engine, {"a": b"1"})
    assert (await v2.engine.get(NAME)).present


async def test_a_tombstone_is_not_listed(v2: Place) -> None:
    for name in ("a/b/c", "a/d", "e"):
        await v2.store.write(ScopedName.parse(name), Secret({"k": b"v"}), base=ABSENT)
    v2.bao.api("DELETE", f"{v2.mount}/data/a/d")
    assert sorted([str(name) async for name in v2.store.names()]) == ["a/b/c", "e"]
    assert [str(name) async for name in v2.store.names("a")] == ["a/b/c"]


async def test_names_that_are_none_of_ours_are_not_listed(v1: Place) -> None:
    for path in ("ok", "with space", "/".join("abcdefghi")):
        v1.put("PUT", path.replace(" ", "%20"), {"k": "v"})
    assert [str(name) async for name in v1.store.names()] == ["ok"]


# Not the mount that the config says.


async def test_version_1_configured_on_a_version_2_mount(bao: OpenBao) -> None:
    store = await open_with_token(bao, bao.mount_kv("v2"), version="v1")
    for call in (store.read(NAME), store.write(NAME, Secret({"a": b"1"}), base=ABSENT), store.check()):
        with pytest.raises(ConfigInvalid, match="version"):
            await call
    await store.aclose()


async def test_version_2_configured_on_a_version_1_mount(bao: OpenBao) -> None:
    mount = bao.mount_kv("v1")
    store = await open_with_token(bao, mount, version="v2")
    for call in (store.check(), store.write(NAME, Secret({"a": b"1"}), base=ABSENT)):
        with pytest.raises(ConfigInvalid, match="version"):
            await call
    with pytest.raises(ApiError, match="404"):
        bao.api("GET", f"{mount}/data/{NAME}")  # nothing of it stays
    bao.api("PUT", f"{mount}/data/{NAME}", {"a": "1"})
    with pytest.raises(ConfigInvalid, match="version"):
        await store.read(NAME)
    await store.aclose()


async def test_version_2_configured_on_a_version_1_mount_with_rights_for_version_2(bao: OpenBao) -> None:
    """Which do not let it remove what it wrote: that is told."""
    mount = bao.mount_kv("v1")
    policy = bao.policy({f"{mount}/data/*": ["create", "read", "update"]})
    store = await open_with_token(bao, mount, token=bao.token([policy]), version="v2")
    with pytest.raises(ConfigInvalid, match=f"{mount}/data/{NAME}.*not KV version 2.*do so yourself"):
        await store.write(NAME, Secret({"a": b"1"}), base=ABSENT)
    await store.aclose()


async def test_what_was_there_is_not_removed_from_a_mount_that_became_version_1(
    bao: OpenBao, v2: Place
) -> None:
    await apply(v2.engine, {"a": b"1"})
    base = await v2.store.read(NAME)
    bao.api("DELETE", f"sys/mounts/{v2.mount}")
    bao.api("POST", f"sys/mounts/{v2.mount}", {"type": "kv", "options": {"version": "1"}})
    with pytest.raises(ConfigInvalid, match="not KV version 2"):
        await v2.store.write(NAME, Secret({"a": b"2"}, OWNED), base=base)
    assert v2.stored(f"data/{NAME}")


async def test_a_mount_that_is_not_there_is_no_missing_secret(bao: OpenBao) -> None:
    store = await open_with_token(bao, "nothing-here")
    for call in (store.read(NAME), store.write(NAME, Secret({"a": b"1"}), base=ABSENT)):
        with pytest.raises(ConfigInvalid, match="no handler"):
            await call
    await store.aclose()


async def test_a_namespace_that_is_not_there_is_no_missing_secret(bao: OpenBao) -> None:
    store = await open_with_token(bao, "secret", namespace="nowhere", authNamespace="")
    with pytest.raises(ConfigInvalid, match="namespace not found"):
        await store.read(NAME)
    await store.aclose()


async def test_another_engine_is_no_kv(bao: OpenBao) -> None:
    store = await open_with_token(bao, "cubbyhole", version="v1")
    with pytest.raises(ConfigInvalid, match="not kv"):
        await store.check()
    await store.aclose()


# What cannot be read: the server takes deeper nesting than is read here.

DEEP = '{"a": ' + "[" * 3000 + "]" * 3000 + "}"


async def test_what_is_nested_too_deeply_is_left_alone_in_v1(v1: Place) -> None:
    v1.put("PUT", str(NAME), DEEP)
    for request in (v1.engine.get(NAME), v1.engine.apply(NAME, Secret({"b": b"1"}), deadline=soon())):
        with pytest.raises(DocumentInvalid, match=f"{v1.mount}/{NAME}"):
            await request


async def test_what_cannot_be_read_is_replaced_under_the_policy_ignore_in_v1(v1: Place) -> None:
    v1.put("PUT", str(NAME), DEEP)
    engine = Engine(v1.store, Rules(OwnershipPolicy.IGNORE), LocationLocks())
    await engine.apply(NAME, Secret({"b": b"1"}), deadline=soon())
    assert v1.stored(str(NAME)) == {"b": "1"}


async def test_what_cannot_be_read_can_be_deleted_in_v1(v1: Place) -> None:
    v1.put("PUT", str(NAME), DEEP)
    await v1.engine.delete(NAME, (), deadline=soon())
    assert await v1.store.read(NAME) is ABSENT


async def test_what_is_nested_too_deeply_is_left_alone_in_v2(v2: Place) -> None:
    v2.put("POST", f"data/{NAME}", f'{{"data": {DEEP}}}')
    for request in (v2.engine.get(NAME), v2.engine.apply(NAME, Secret({"b": b"1"}), deadline=soon())):
        with pytest.raises(DocumentInvalid, match=f"{v2.mount}/data/{NAME}"):
            await request


def test_what_is_no_object_in_v2_is_unreadable_and_keeps_its_version() -> None:
    """No server is known to keep such; a proxy or a server of another make might."""
    metadata = {"version": 3, "custom_metadata": {"team": "a"}}
    for found in ("text", ["list"], "1"):
        body = json.dumps({"data": {"data": found, "metadata": metadata}}).encode()
        stored = stored_in(Answer("GET secret/data/x", 200, body), "x")
        assert (stored.version, stored.secret) == ("3", Secret({}, {"team": "a"}))
        assert stored.unreadable == "what is stored under x is not a JSON object"


# Mounts and versions as people have them.


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_mount_of_several_segments(bao: OpenBao, version: str) -> None:
    mount = bao.mount_kv(version, mount=f"several/segments+of~{version}/kv")
    store = await open_with_token(bao, f"/{mount}/", version=version)
    engine = engine_over(store)
    assert await apply(engine, {"a": b"1"})
    assert (await engine.get(NAME)).secret == Secret({"a": b"1"}, OWNED)
    assert [str(name) async for name in store.names()] == [str(NAME)]
    assert await store.check() == (list(store._kv.warnings))
    await engine.delete(NAME, [], deadline=soon())
    assert not (await engine.get(NAME)).present
    await store.aclose()


async def test_a_mount_that_demands_compare_and_set(v2: Place) -> None:
    v2.put("POST", "config", {"cas_required": True})
    for value in (b"1", b"2"):
        assert await apply(v2.engine, {"a": value})
    await v2.engine.delete(NAME, ["a"], deadline=soon())
    assert not (await v2.engine.get(NAME)).present
    assert await apply(v2.engine, {"a": b"3"})
    v2.bao.api("DELETE", f"{v2.mount}/data/{NAME}")
    assert await apply(v2.engine, {"a": b"4"})
    assert (await v2.engine.get(NAME)).secret.data == {"a": b"4"}


async def test_a_version_is_read_as_it_was(v2: Place) -> None:
    for value in (b"1", b"2"):
        await apply(v2.engine, {"a": value})
    old = await v2.engine.get(NAME, version=Version("1"))
    assert (old.version, old.secret.data) == ("1", {"a": b"1"})
    v2.put("POST", f"delete/{NAME}", {"versions": [1]})
    with pytest.raises(VersionNotFound):
        await v2.engine.get(NAME, version=Version("1"))
    v2.put("POST", f"undelete/{NAME}", {"versions": [1]})
    assert (await v2.engine.get(NAME, version=Version("1"))).secret.data == {"a": b"1"}


async def test_what_is_undeleted_is_back(v2: Place) -> None:
    await apply(v2.engine, {"a": b"1"})
    v2.bao.api("DELETE", f"{v2.mount}/data/{NAME}")
    assert not (await v2.engine.get(NAME)).present
    v2.put("POST", f"undelete/{NAME}", {"versions": [1]})
    assert (await v2.engine.get(NAME)).secret == Secret({"a": b"1"}, OWNED)
    assert not await apply(v2.engine, {"a": b"1"})
