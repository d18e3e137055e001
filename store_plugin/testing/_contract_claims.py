"""A proof of every claim that a store's `Capabilities` can make, or of its opposite."""

import asyncio
from collections.abc import Sequence

import pytest

from store_plugin.engine import Engine
from store_plugin.errors import Conflict, InvalidRequest, TooLarge, VersionNotFound
from store_plugin.model import (
    ABSENT,
    NO_SECRET,
    OWNER_LABEL,
    ChangeKind,
    KeyChange,
    Presence,
    ScopedName,
    Secret,
    Version,
)
from store_plugin.store import Store
from store_plugin.testing._contract_base import (
    NAME,
    Bury,
    ContractBase,
    OpenStore,
    engine_over,
    only,
    owned,
    soon,
)
from store_plugin.testing._contract_rules import WRITERS
from store_plugin.testing.recording import RecordingStore

ONE, TWO, THREE = Secret({"a": b"1"}), Secret({"a": b"2"}), Secret({"a": b"3"})


class ClaimTests(ContractBase):
    """Tests that depend on what the store claims."""

    # compare-and-set

    @only(lambda claimed: claimed.compare_and_set)
    async def test_a_write_on_an_old_base_is_a_conflict(self, open_handle: OpenStore) -> None:
        ours, theirs = await open_handle(), await open_handle()
        await ours.write(NAME, ONE, base=ABSENT)
        base = await ours.read(NAME)
        await theirs.write(NAME, TWO, base=base)
        with pytest.raises(Conflict):
            await ours.write(NAME, THREE, base=base)
        assert (await ours.read(NAME)).secret.data == TWO.data

    @only(lambda claimed: claimed.compare_and_set)
    async def test_a_create_where_another_has_created_is_a_conflict(self, open_handle: OpenStore) -> None:
        ours, theirs = await open_handle(), await open_handle()
        base = await ours.read(NAME)
        await theirs.write(NAME, ONE, base=base)
        with pytest.raises(Conflict):
            await ours.write(NAME, TWO, base=base)
        assert (await ours.read(NAME)).secret.data == ONE.data

    @only(lambda claimed: claimed.compare_and_set)
    async def test_a_race_to_create_has_one_winner(self, open_handle: OpenStore) -> None:
        stores = [await open_handle(), await open_handle()]
        results = await asyncio.gather(
            *(
                stores[number % 2].write(NAME, Secret({"by": b"%d" % number}), base=ABSENT)
                for number in range(WRITERS)
            ),
            return_exceptions=True,
        )
        winners = [number for number, result in enumerate(results) if not isinstance(result, Exception)]
        assert len(winners) == 1
        assert all(isinstance(result, Conflict) for result in results if isinstance(result, Exception))
        assert (await stores[0].read(NAME)).secret.data == {"by": b"%d" % winners[0]}

    @only(lambda claimed: claimed.compare_and_set)
    async def test_a_write_on_a_secret_removed_meanwhile_is_a_conflict(self, open_handle: OpenStore) -> None:
        ours, theirs = await open_handle(), await open_handle()
        await ours.write(NAME, ONE, base=ABSENT)
        base = await ours.read(NAME)
        await theirs.delete(NAME, base=base)
        with pytest.raises(Conflict):
            await ours.write(NAME, TWO, base=base)
        assert not (await ours.read(NAME)).present

    @only(lambda claimed: claimed.compare_and_set)
    async def test_two_processes_lose_no_acknowledged_key(self, open_handle: OpenStore) -> None:
        engines = [engine_over(await open_handle()), engine_over(await open_handle())]
        acknowledged = await _apply_at_once(engines)
        assert acknowledged <= (await engines[0].get(NAME)).secret.data.keys()
        assert acknowledged, "no writer succeeded"

    @only(lambda claimed: claimed.compare_and_set)
    async def test_an_apply_for_the_current_version_is_done(self, engine: Engine) -> None:
        first = await engine.apply(NAME, ONE, deadline=soon(), if_version=NO_SECRET)
        second = await engine.apply(NAME, TWO, deadline=soon(), if_version=first.version)
        assert second.version != first.version
        assert (await engine.get(NAME)).version == second.version

    @only(lambda claimed: claimed.compare_and_set)
    async def test_an_apply_for_another_version_is_a_conflict(
        self, engine: Engine, store: RecordingStore
    ) -> None:
        first = await engine.apply(NAME, ONE, deadline=soon())
        await engine.apply(NAME, TWO, deadline=soon())
        store.calls.clear()
        for wanted in (first.version, NO_SECRET):
            with pytest.raises(Conflict):
                await engine.apply(NAME, THREE, deadline=soon(), if_version=wanted)
        assert store.writes == 0

    @only(lambda claimed: claimed.compare_and_set and claimed.conditional_delete)
    async def test_a_version_never_comes_back(self, engine: Engine) -> None:
        seen = []
        for _ in range(3):
            seen.append((await engine.apply(NAME, ONE, deadline=soon())).version)
            await engine.delete(NAME, [], deadline=soon())
        assert len(set(seen)) == 3

    @only(lambda claimed: not claimed.compare_and_set)
    async def test_without_compare_and_set_the_last_writer_wins(self, open_handle: OpenStore) -> None:
        ours, theirs = await open_handle(), await open_handle()
        base = await ours.read(NAME)
        await theirs.write(NAME, ONE, base=base)
        await ours.write(NAME, TWO, base=base)
        assert (await theirs.read(NAME)).secret.data == TWO.data

    @only(lambda claimed: not claimed.compare_and_set)
    async def test_without_compare_and_set_no_version_can_be_demanded(self, engine: Engine) -> None:
        with pytest.raises(InvalidRequest):
            await engine.apply(NAME, ONE, deadline=soon(), if_version=NO_SECRET)

    @only(lambda claimed: not claimed.compare_and_set)
    async def test_without_compare_and_set_the_check_warns(self, store: RecordingStore) -> None:
        assert [warning for warning in await store.check() if "compare-and-set" in warning]

    # removal

    @only(lambda claimed: claimed.conditional_delete)
    async def test_a_removal_on_an_old_base_is_a_conflict(self, open_handle: OpenStore) -> None:
        ours, theirs = await open_handle(), await open_handle()
        await ours.write(NAME, ONE, base=ABSENT)
        base = await ours.read(NAME)
        await theirs.write(NAME, TWO, base=base)
        with pytest.raises(Conflict):
            await ours.delete(NAME, base=base)
        assert (await ours.read(NAME)).secret.data == TWO.data

    @only(lambda claimed: claimed.conditional_delete)
    async def test_a_removal_of_a_secret_created_anew_is_a_conflict(self, open_handle: OpenStore) -> None:
        ours, theirs = await open_handle(), await open_handle()
        await ours.write(NAME, ONE, base=ABSENT)
        base = await ours.read(NAME)
        await theirs.delete(NAME, base=base)
        await theirs.write(NAME, ONE, base=await theirs.read(NAME))
        with pytest.raises(Conflict):
            await ours.delete(NAME, base=base)
        assert (await ours.read(NAME)).present

    @only(lambda claimed: not claimed.conditional_delete)
    async def test_without_conditional_delete_a_write_in_between_goes_too(
        self, open_handle: OpenStore
    ) -> None:
        ours, theirs = await open_handle(), await open_handle()
        await ours.write(NAME, ONE, base=ABSENT)
        base = await ours.read(NAME)
        await theirs.write(NAME, TWO, base=base)
        await ours.delete(NAME, base=base)
        assert not (await theirs.read(NAME)).present

    @only(lambda claimed: claimed.tombstones)
    async def test_a_tombstone_reads_as_missing(
        self, engine: Engine, store: RecordingStore, bury: Bury
    ) -> None:
        await engine.apply(NAME, owned("uid-1", {"a": b"1"}), deadline=soon())
        await bury(store, NAME)
        stored = await engine.get(NAME)
        assert (stored.presence, stored.secret) == (Presence.TOMBSTONE, Secret())
        assert await engine.delete(NAME, [], deadline=soon()) == ()

    @only(lambda claimed: claimed.tombstones)
    async def test_over_a_tombstone_a_secret_is_created_anew(
        self, engine: Engine, store: RecordingStore, bury: Bury
    ) -> None:
        await engine.apply(NAME, Secret({"old": b"1"}, {"old": "x", OWNER_LABEL: "uid-1"}), deadline=soon())
        await bury(store, NAME)
        applied = await engine.apply(
            NAME, owned("uid-2", {"new": b"2"}), deadline=soon(), if_version=NO_SECRET
        )
        stored = await engine.get(NAME)
        assert applied.changed
        assert stored.secret == owned("uid-2", {"new": b"2"})

    @only(lambda claimed: claimed.tombstones and claimed.compare_and_set)
    async def test_two_processes_over_a_tombstone_lose_no_acknowledged_key(
        self, open_handle: OpenStore, bury: Bury
    ) -> None:
        stores = [await open_handle(), await open_handle()]
        engines = [engine_over(store) for store in stores]
        await engines[0].apply(NAME, Secret({"buried": b"1"}), deadline=soon())
        await bury(stores[1], NAME)
        acknowledged = await _apply_at_once(engines)
        assert (await engines[1].get(NAME)).secret.data.keys() >= acknowledged
        assert "buried" not in (await engines[1].get(NAME)).secret.data

    @only(lambda claimed: not claimed.tombstones)
    async def test_without_tombstones_a_removal_leaves_nothing(self, engine: Engine) -> None:
        await engine.apply(NAME, ONE, deadline=soon())
        await engine.delete(NAME, [], deadline=soon())
        stored = await engine.get(NAME)
        assert (stored.presence, stored.version) == (Presence.ABSENT, None)

    # versions

    @only(lambda claimed: claimed.versions)
    async def test_an_older_version_can_be_read(self, engine: Engine) -> None:
        first = await engine.apply(NAME, ONE, deadline=soon())
        second = await engine.apply(NAME, TWO, deadline=soon())
        for applied, secret in ((first, ONE), (second, TWO)):
            stored = await engine.get(NAME, version=applied.version)
            assert (stored.secret.data, stored.version) == (secret.data, applied.version)

    @only(lambda claimed: claimed.versions)
    async def test_an_unknown_version_is_not_found(self, engine: Engine) -> None:
        for version in ("7", "999999999", "no-version"):
            with pytest.raises(VersionNotFound):
                await engine.get(NAME, version=Version(version))
        await engine.apply(NAME, ONE, deadline=soon())
        with pytest.raises(VersionNotFound):
            await engine.get(NAME, version=Version("999999999"))

    @only(lambda claimed: claimed.versions)
    async def test_a_removal_takes_all_versions(self, engine: Engine) -> None:
        first = await engine.apply(NAME, ONE, deadline=soon())
        await engine.apply(NAME, TWO, deadline=soon())
        await engine.delete(NAME, [], deadline=soon())
        with pytest.raises(VersionNotFound):
            await engine.get(NAME, version=first.version)

    @only(lambda claimed: not claimed.versions)
    async def test_without_versions_none_can_be_asked_for(self, engine: Engine) -> None:
        with pytest.raises(InvalidRequest):
            await engine.get(NAME, version=Version("1"))

    # metadata

    @only(lambda claimed: claimed.metadata)
    async def test_metadata_comes_back(self, engine: Engine) -> None:
        secret = Secret({"a": b"1"}, {OWNER_LABEL: "uid-1", "team": "Straße 7, 世界"})
        await engine.apply(NAME, secret, deadline=soon())
        assert (await engine.get(NAME)).secret == secret

    @only(lambda claimed: claimed.metadata)
    async def test_metadata_is_merged(self, engine: Engine) -> None:
        await engine.apply(NAME, Secret({"a": b"1"}, {"kept": "1", "new-value": "1"}), deadline=soon())
        applied = await engine.apply(NAME, Secret({}, {"new-value": "2", "added": "3"}), deadline=soon())
        assert applied.changes == (
            KeyChange("added", ChangeKind.METADATA),
            KeyChange("new-value", ChangeKind.METADATA),
        )
        stored = (await engine.get(NAME)).secret
        assert stored == Secret({"a": b"1"}, {"kept": "1", "new-value": "2", "added": "3"})

    @only(lambda claimed: claimed.metadata)
    async def test_the_same_metadata_again_writes_nothing(
        self, engine: Engine, store: RecordingStore
    ) -> None:
        secret = Secret({"a": b"1"}, {OWNER_LABEL: "uid-1", "team": "x"})
        await engine.apply(NAME, secret, deadline=soon())
        store.calls.clear()
        assert not (await engine.apply(NAME, secret, deadline=soon())).changed
        assert store.writes == 0

    @only(lambda claimed: claimed.metadata)
    async def test_metadata_survives_the_removal_of_keys(self, engine: Engine) -> None:
        await engine.apply(NAME, owned("uid-1", {"a": b"1", "b": b"2"}), deadline=soon())
        await engine.delete(NAME, ["a"], deadline=soon())
        assert (await engine.get(NAME)).secret == owned("uid-1", {"b": b"2"})
        await engine.delete(NAME, ["b"], deadline=soon(), keep_empty=True)
        assert (await engine.get(NAME)).secret == owned("uid-1", {})

    @only(lambda claimed: claimed.metadata)
    async def test_an_empty_secret_carries_its_owner(self, engine: Engine) -> None:
        await engine.apply(NAME, owned("uid-1", {}), deadline=soon())
        assert (await engine.get(NAME)).secret.owner == "uid-1"

    @only(lambda claimed: claimed.metadata)
    async def test_a_secret_created_anew_has_no_old_metadata(self, engine: Engine) -> None:
        await engine.apply(NAME, owned("uid-1", {"a": b"1"}), deadline=soon())
        await engine.delete(NAME, [], deadline=soon())
        await engine.apply(NAME, owned("uid-2", {"a": b"1"}), deadline=soon())
        assert (await engine.get(NAME)).secret.metadata == {OWNER_LABEL: "uid-2"}

    @only(lambda claimed: not claimed.metadata)
    async def test_without_metadata_none_is_accepted(self, engine: Engine) -> None:
        with pytest.raises(TooLarge):
            await engine.apply(NAME, owned("uid-1", {"a": b"1"}), deadline=soon())
        assert not (await engine.get(NAME)).present

    # limits

    @only(lambda claimed: claimed.limits.keys is not None)
    async def test_keys_up_to_the_limit_are_held(self, engine: Engine) -> None:
        keys = [f"k{number}" for number in range(self.capabilities.limits.keys or 0)]
        await engine.apply(NAME, Secret(dict.fromkeys(keys, b"x")), deadline=soon())
        assert len((await engine.get(NAME)).secret.data) == len(keys)
        await _assert_too_large(engine, Secret({"one-more": b"x"}))

    @only(lambda claimed: claimed.metadata and claimed.limits.metadata_entries is not None)
    async def test_metadata_entries_up_to_the_limit_are_held(self, engine: Engine) -> None:
        entries = {f"k{number}": "x" for number in range(self.capabilities.limits.metadata_entries or 0)}
        await engine.apply(NAME, Secret({"a": b"1"}, entries), deadline=soon())
        assert (await engine.get(NAME)).secret.metadata == entries
        await _assert_too_large(engine, Secret({}, {"one-more": "x"}))

    @only(lambda claimed: claimed.metadata and claimed.limits.metadata_key_bytes is not None)
    async def test_a_metadata_key_up_to_the_limit_is_held(self, engine: Engine) -> None:
        longest = "k" * (self.capabilities.limits.metadata_key_bytes or 0)
        await engine.apply(NAME, Secret({"a": b"1"}, {longest: "x"}), deadline=soon())
        assert (await engine.get(NAME)).secret.metadata == {longest: "x"}
        await _assert_too_large(engine, Secret({}, {longest + "k": "x"}))

    @only(lambda claimed: claimed.metadata and claimed.limits.metadata_value_bytes is not None)
    async def test_a_metadata_value_up_to_the_limit_is_held(self, engine: Engine) -> None:
        longest = "v" * (self.capabilities.limits.metadata_value_bytes or 0)
        await engine.apply(NAME, Secret({"a": b"1"}, {"k": longest}), deadline=soon())
        assert (await engine.get(NAME)).secret.metadata == {"k": longest}
        await _assert_too_large(engine, Secret({}, {"k": longest + "v"}))

    @only(lambda claimed: claimed.limits.keys is None)
    async def test_ten_thousand_keys_are_held(self, engine: Engine) -> None:
        data = {f"key-{number}": b"%d" % number for number in range(10_000)}
        await engine.apply(NAME, Secret(data), deadline=soon())
        assert (await engine.get(NAME)).secret.data == data

    # listing

    @only(lambda claimed: claimed.listing)
    async def test_names_lists_what_is_there(self, engine: Engine, store: RecordingStore) -> None:
        for name in ("solo", "team/a", "team/deep/b", "teammate/c", "team/gone"):
            await engine.apply(ScopedName.parse(name), ONE, deadline=soon())
        await engine.delete(ScopedName.parse("team/gone"), [], deadline=soon())
        assert await _listed(store, "") == ["solo", "team/a", "team/deep/b", "teammate/c"]
        assert await _listed(store, "team") == ["team/a", "team/deep/b"]
        assert await _listed(store, "nowhere") == []


async def _apply_at_once(engines: Sequence[Engine]) -> set[str]:
    """Many writers over several engines, each with a key of its own; the keys whose apply
    was acknowledged."""

    async def apply(number: int) -> str:
        key = f"key-{number}"
        await engines[number % len(engines)].apply(NAME, Secret({key: b"x"}), deadline=soon())
        return key

    results = await asyncio.gather(*map(apply, range(WRITERS)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Conflict):
            raise result
    return {result for result in results if isinstance(result, str)}


async def _assert_too_large(engine: Engine, secret: Secret) -> None:
    before = await engine.get(NAME)
    with pytest.raises(TooLarge):
        await engine.apply(NAME, secret, deadline=soon())
    assert (await engine.get(NAME)).secret == before.secret


async def _listed(store: Store, scope: str) -> list[str]:
    return sorted([str(name) async for name in store.names(scope)])
