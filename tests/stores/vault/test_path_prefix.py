"""`pathPrefix`: where secrets lie, that nothing else moves, and what cannot be a prefix."""

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from store_plugin.errors import InvalidRequest
from store_plugin.model import ABSENT, OWNER_LABEL, Presence, ScopedName, Secret
from stores.vault.kv.paths import path_of
from stores.vault.store import VaultStore
from tests.stores.vault.opening import WITH_TOKEN, engine_over, open_with_token, soon, spec_of
from tests.support.openbao import OpenBao

SERVER = "https://vault.example.com"
NAME = ScopedName.parse("team-a/db")
OWNED = Secret({"k": b"v"}, {OWNER_LABEL: "uid-1"})
PREFIXES = pytest.mark.parametrize(
    ("prefix", "place"),
    [
        pytest.param("", "", id="none"),
        pytest.param("/operators/", "operators/", id="one"),
        pytest.param("x+y=z@~/ü", "x+y=z@~/ü/", id="quoted"),
        pytest.param("{scope}", "team-a/", id="scope"),
        pytest.param("tenants/of-{scope}-1/here", "tenants/of-team-a-1/here/", id="scope-inside"),
    ],
)


@PREFIXES
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_secret_lies_below_the_prefix(bao: OpenBao, version: str, prefix: str, place: str) -> None:
    mount = bao.mount_kv(version)
    store = await open_with_token(bao, mount, version=version, pathPrefix=prefix)
    engine = engine_over(store)
    try:
        await engine.apply(NAME, OWNED, deadline=soon())
        assert (await engine.get(NAME)).secret == OWNED
        assert walk(bao, f"{mount}/metadata" if version == "v2" else mount) == [f"{place}{NAME}"]
        assert [str(name) async for name in store.names("team-a")] == [str(NAME)]
        await engine.delete(NAME, [], deadline=soon())
        assert (await engine.get(NAME)).presence is Presence.ABSENT
    finally:
        await store.aclose()


def walk(bao: OpenBao, folder: str) -> list[str]:
    """All paths below a folder, as the server itself lists them."""
    found = []
    for key in bao.api("LIST", folder.replace("ü", "%C3%BC"))["data"]["keys"]:
        if key.endswith("/"):
            found += [f"{key}{rest}" for rest in walk(bao, f"{folder}/{key.rstrip('/')}")]
        else:
            found.append(key)
    return found


@pytest.fixture
async def scoped(bao: OpenBao) -> AsyncIterator[VaultStore]:
    store = await open_with_token(bao, bao.mount_kv("v2"), pathPrefix="tenants/{scope}")
    yield store
    await store.aclose()


async def test_a_name_without_a_scope_has_no_place(scoped: VaultStore) -> None:
    name = ScopedName.parse("db")
    engine = engine_over(scoped)
    with pytest.raises(InvalidRequest, match="write it as scope/name"):
        await engine.get(name)
    with pytest.raises(InvalidRequest, match="write it as scope/name"):
        await engine.apply(name, OWNED, deadline=soon())
    with pytest.raises(InvalidRequest, match="write it as scope/name"):
        await engine.delete(name, [], deadline=soon())


async def test_a_listing_of_every_scope_is_refused(scoped: VaultStore) -> None:
    with pytest.raises(InvalidRequest, match="one at a time"):
        [name async for name in scoped.names()]


async def test_a_listing_sees_one_scope(scoped: VaultStore) -> None:
    for name in ("team-a/db", "team-a/x/y", "team-b/db"):
        await scoped.write(ScopedName.parse(name), OWNED, base=ABSENT)
    assert sorted([str(name) async for name in scoped.names("team-a")]) == ["team-a/db", "team-a/x/y"]
    assert [str(name) async for name in scoped.names("team-a/x")] == ["team-a/x/y"]


async def test_writers_queue_on_the_whole_path(bao: OpenBao) -> None:
    below = await open_with_token(bao, "kv", pathPrefix="team-a")
    beside = await open_with_token(bao, "kv", pathPrefix="other")
    plain = await open_with_token(bao, "kv")
    try:
        assert below.location(ScopedName.parse("x/db")) == plain.location(ScopedName.parse("team-a/x/db"))
        assert below.location(NAME) != plain.location(NAME) != beside.location(NAME)
    finally:
        for store in (below, beside, plain):
            await store.aclose()


async def test_no_two_mounts_share_a_location(bao: OpenBao) -> None:
    places = []
    for mount, name in (("kv", "a/b"), ("kva", "b/c"), ("kv", "ab/c"), ("kv/a", "b/c")):
        store = await open_with_token(bao, mount)
        places.append(store.location(ScopedName.parse(name)))
        await store.aclose()
    assert len(set(places)) == 4


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        pytest.param("a/../b", "nor ..", id="leaves-itself"),
        pytest.param("a//b", "empty", id="empty-segment"),
        pytest.param("a%2fb", "none of", id="percent"),
        pytest.param("a?b", "none of", id="question-mark"),
        pytest.param("a b", "white space", id="white-space"),
        pytest.param("{name}", "{scope}", id="other-placeholder"),
        pytest.param("{scope", "{scope}", id="open-brace"),
        pytest.param("{{scope}}", "{scope}", id="two-braces"),
    ],
)
def test_what_cannot_be_a_prefix_is_refused(prefix: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec_of(SERVER, "kv", WITH_TOKEN, pathPrefix=prefix)


@pytest.mark.parametrize("prefix", ["", "a", "{scope}", "x-{scope}/y"])
def test_no_two_names_share_a_path(prefix: str) -> None:
    place = path_of(prefix)
    names = [ScopedName.parse(text) for text in ("a/b", "a/a/b", "a/a/a/b", "b/a/b", "x-a/y/a/b")]
    assert len({place(name) for name in names}) == len(names)


# maxVersions.


def kept(bao: OpenBao, mount: str, name: ScopedName) -> int:
    """The server's own answer: how many versions of a secret it keeps; 0: as the mount says."""
    return int(bao.api("GET", f"{mount}/metadata/{name}")["data"]["max_versions"])


@pytest.mark.parametrize("metadata", [{}, OWNED.metadata], ids=["data-only", "with-owner"])
@pytest.mark.parametrize("patch", [True, False], ids=["patch", "no-patch"])
async def test_a_new_secret_gets_its_max_versions(
    bao: OpenBao, metadata: dict[str, str], patch: bool
) -> None:
    mount = bao.mount_kv("v2")
    given = ("create", "read", "update", "delete", *(["patch"] if patch else []))
    token = bao.token([bao.policy({f"{mount}/*": given})])
    store = await open_with_token(bao, mount, token=token, maxVersions=3)
    engine = engine_over(store)
    for value in (b"1", b"2"):
        await engine.apply(NAME, Secret({"k": value}, metadata), deadline=soon())
    assert kept(bao, mount, NAME) == 3
    assert (await engine.get(NAME)).secret == Secret({"k": b"2"}, metadata)
    await store.aclose()


async def test_older_versions_go(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    store = await open_with_token(bao, mount, maxVersions=2)
    engine = engine_over(store)
    for value in (b"1", b"2", b"3", b"4"):
        await engine.apply(NAME, Secret({"k": value}), deadline=soon())
    assert sorted(bao.api("GET", f"{mount}/metadata/{NAME}")["data"]["versions"]) == ["3", "4"]
    await store.aclose()


async def test_max_versions_of_others_change_with_the_metadata_only(bao: OpenBao) -> None:
    """No request is made for it alone: neither by an unchanged apply nor by one of data."""
    mount = bao.mount_kv("v2")
    bao.api("POST", f"{mount}/data/{NAME}", {"data": {"k": "v"}})
    bao.api("POST", f"{mount}/metadata/{NAME}", {"max_versions": 7})
    store = await open_with_token(bao, mount, maxVersions=3)
    engine = engine_over(store)
    for data in (b"v", b"w"):
        await engine.apply(NAME, Secret({"k": data}), deadline=soon())
        assert kept(bao, mount, NAME) == 7
    await engine.apply(NAME, Secret({"k": b"w"}, {"team": "a"}), deadline=soon())
    assert kept(bao, mount, NAME) == 3
    await store.aclose()


async def test_a_secret_over_a_tombstone_gets_its_max_versions(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    bao.api("POST", f"{mount}/data/{NAME}", {"data": {"k": "v"}})
    bao.api("DELETE", f"{mount}/data/{NAME}")
    store = await open_with_token(bao, mount, maxVersions=3)
    await engine_over(store).apply(NAME, Secret({"k": b"v"}), deadline=soon())
    assert kept(bao, mount, NAME) == 3
    await store.aclose()


async def test_without_max_versions_that_setting_is_left_alone(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    store = await open_with_token(bao, mount)
    await engine_over(store).apply(NAME, Secret({"k": b"v"}), deadline=soon())
    assert kept(bao, mount, NAME) == 0
    await store.aclose()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"maxVersions": 0}, "greater than or equal to 1"),
        ({"maxVersions": 2**32}, "less than or equal"),
        ({"maxVersions": 3, "version": "v1"}, "keeps no versions"),
    ],
)
def test_max_versions_that_cannot_be(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec_of(SERVER, "kv", WITH_TOKEN, **fields)
