"""The keys of a local store: wrong ones, malformed ones, and changing them."""

import base64
from pathlib import Path

import pytest

from store_plugin.errors import ConfigInvalid, VersionNotFound
from store_plugin.model import Secret, Version
from store_plugin.spec import credential_references
from store_plugin.store import Store
from store_plugin.testing.environment import RecordingLog, memory_environment
from stores.local import factory
from tests.stores.local_files import NAME, REFERENCE, credentials, key, open_local, put, spec

BAD_KEYS = {
    "empty": b"",
    "not-base64": b"!!! canary !!!",
    "url-alphabet": base64.urlsafe_b64encode(b"\xff" * 32),
    "unpadded": base64.b64encode(b"canary" * 5 + b"xx").rstrip(b"="),
    "31-bytes": base64.b64encode(b"c" * 31),
    "33-bytes": base64.b64encode(b"c" * 33),
    "hex": (b"63" * 32),
    "raw": b"\xff" * 32,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.db"


@pytest.mark.parametrize("bad", BAD_KEYS.values(), ids=BAD_KEYS)
async def test_what_is_no_key_is_refused_without_showing_it(path: Path, bad: bytes) -> None:
    with pytest.raises(ConfigInvalid, match="the key at key") as caught:
        await open_local(path, bad)
    assert bad.decode("latin-1") not in str(caught.value) or not bad
    assert caught.value.__cause__ is None
    assert not path.exists()


async def test_a_bad_older_key_is_named(path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"olderKeys\.1"):
        await open_local(path, key(1), key(2), b"no key")


async def test_a_missing_key_is_refused(path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="key"):
        await factory.open(spec(path), memory_environment())


def test_the_credential_paths_are_those_of_the_spec(path: Path) -> None:
    model = spec(path, older_keys=2)
    assert tuple(name for name, _ in credential_references(model)) == model.key_paths


@pytest.mark.parametrize(
    "manifest",
    [
        {"path": "x"},
        {"path": "", "key": REFERENCE},
        {"path": "a\x00b", "key": REFERENCE},
        {"path": "x", "key": {"source": "None"}},
        {"path": "x", "key": REFERENCE, "olderKeys": [{"source": "None"}]},
        {"path": "x", "key": REFERENCE, "olderKey": REFERENCE},
    ],
    ids=["no-key", "empty-path", "nul", "no-source", "older-without-source", "misspelt"],
)
def test_a_wrong_spec_is_refused(manifest: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        factory.spec_model.model_validate(manifest)


async def test_another_key_does_not_open_the_file(path: Path) -> None:
    await (await open_local(path)).aclose()
    with pytest.raises(ConfigInvalid, match="olderKeys") as caught:
        await open_local(path, key(2))
    assert key(2).decode() not in str(caught.value)


async def test_after_a_change_of_key_old_and_new_secrets_read(path: Path) -> None:
    old = await open_local(path, key(1))
    await put(old, {"a": b"1"})
    await old.aclose()
    changed = await open_local(path, key(2), key(1))
    await put(changed, {"b": b"2"}, NAME.parse("team/new"))
    assert (await changed.read(NAME)).secret.data == {"a": b"1"}
    assert (await changed.read(NAME.parse("team/new"))).secret.data == {"b": b"2"}
    await changed.aclose()


async def test_writing_seals_all_of_the_secret_with_the_new_key(path: Path) -> None:
    old = await open_local(path, key(1))
    await put(old, {"kept": b"1", "changed": b"1"}, label="x")
    await old.aclose()
    both = await open_local(path, key(2), key(1))
    await put(both, {"kept": b"1", "changed": b"2"}, label="x")
    await both.aclose()
    new = await open_local(path, key(2))
    assert (await new.read(NAME)).secret == Secret({"kept": b"1", "changed": b"2"}, {"label": "x"})
    await new.aclose()


async def test_a_secret_under_a_key_no_longer_listed_says_so(path: Path) -> None:
    old = await open_local(path, key(1))
    await put(old, {"a": b"1"})
    await old.aclose()
    await (await open_local(path, key(2), key(1))).aclose()
    new = await open_local(path, key(2))
    with pytest.raises(ConfigInvalid, match="olderKeys"):
        await new.read(NAME)
    await new.aclose()


async def test_the_check_tells_which_older_key_can_go(path: Path) -> None:
    old = await open_local(path, key(1))
    await put(old, {"a": b"1"})
    await old.aclose()
    changed = await open_local(path, key(2), key(3), key(1))
    assert [line for line in await changed.check() if "olderKeys" in line] == [
        "olderKeys.0 seals nothing any more; remove it"
    ]
    await put(changed, {"a": b"2"})
    assert len([line for line in await changed.check() if "olderKeys" in line]) == 2
    await changed.aclose()


class TestWhileOpen:
    """The credentials change while the store is open."""

    @pytest.fixture
    async def log(self) -> RecordingLog:
        return RecordingLog()

    async def test_a_new_key_seals_from_the_next_write_on(self, path: Path, log: RecordingLog) -> None:
        held = credentials(key(1), key(9))
        store = await factory.open(spec(path, 1), memory_environment(held, log))
        await put(store, {"a": b"1"})
        held.replace({"key": key(2), "olderKeys.0": key(1)})
        assert (await store.read(NAME)).secret.data == {"a": b"1"}
        await put(store, {"a": b"2"})
        await store.aclose()
        await assert_reads(path, key(2), {"a": b"2"})
        assert log.events("warning") == []

    @pytest.mark.parametrize("bad", [b"no key", key(2)], ids=["malformed", "does-not-open-the-file"])
    async def test_a_key_that_cannot_be_used_leaves_the_last_good_one(
        self, path: Path, log: RecordingLog, bad: bytes
    ) -> None:
        held = credentials(key(1))
        store = await factory.open(spec(path), memory_environment(held, log))
        await put(store, {"a": b"1"})
        held.replace({"key": bad})
        await put(store, {"a": b"2"})
        assert (await store.read(NAME)).secret.data == {"a": b"2"}
        with pytest.raises(ConfigInvalid):
            await store.check()
        assert log.events("warning") == ["new keys refused, the ones before stay in use"]
        assert bad.decode() not in repr(log.entries)
        await store.aclose()
        await assert_reads(path, key(1), {"a": b"2"})

    async def test_a_mended_key_is_taken_again(self, path: Path, log: RecordingLog) -> None:
        held = credentials(key(1))
        store = await factory.open(spec(path), memory_environment(held, log))
        for keys in (b"no key", key(1), key(2), key(1)):
            held.replace({"key": keys})
            assert await store.read(NAME)
        await store.check()
        await store.aclose()

    async def test_a_closed_store_no_longer_listens(self, path: Path, log: RecordingLog) -> None:
        held = credentials(key(1))
        store = await factory.open(spec(path), memory_environment(held, log))
        assert held.subscribers == 1
        await store.aclose()
        assert held.subscribers == 0


async def assert_reads(path: Path, with_key: bytes, data: dict[str, bytes]) -> None:
    store: Store = await open_local(path, with_key)
    assert (await store.read(NAME)).secret.data == data
    with pytest.raises(VersionNotFound):
        await store.read(NAME, Version("1"))
    await store.aclose()


async def test_a_failed_opening_leaves_no_listener(path: Path) -> None:
    await (await open_local(path)).aclose()
    held = credentials(key(2))
    with pytest.raises(ConfigInvalid):
        await factory.open(spec(path), memory_environment(held))
    assert held.subscribers == 0
