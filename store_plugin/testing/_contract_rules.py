"""What holds over every store, whatever it claims: the rules of docs/semantics.md."""

import asyncio

import pytest

from store_plugin.engine import Engine, OwnershipPolicy
from store_plugin.errors import NotOwner, TooLarge
from store_plugin.model import ChangeKind, KeyChange, Presence, ScopedName, Secret
from store_plugin.testing._contract_base import (
    NAME,
    OTHER,
    ContractBase,
    OpenStore,
    engine_over,
    only,
    owned,
    soon,
)
from store_plugin.testing.recording import RecordingStore

VALUES = {
    "text": b"hello",
    "empty": b"",
    "unicode": "Grüße, 世界 🔑".encode(),
    "not-utf-8": b"\xff\xfe\x00\x80",
    "nul": b"\x00",
    "every-byte": bytes(range(256)),
    "lines": b"-----BEGIN-----\r\n\tabc\n\n-----END-----\n",
    "json-object": b'{"a": 1}',
    "json-null": b"null",
    "like-an-encoding": b'{"$binary": "AAEC"}',
    "surrogate": b"\xed\xa0\x80",
    "bom": b"\xef\xbb\xbfx",
}
WRITERS = 16


class RuleTests(ContractBase):
    """Tests for every store."""

    async def test_capabilities_are_those_claimed(self, store: RecordingStore) -> None:
        assert store.capabilities == self.capabilities

    async def test_a_missing_secret_is_empty(self, engine: Engine) -> None:
        stored = await engine.get(NAME)
        assert stored.presence is Presence.ABSENT
        assert (stored.secret, stored.version) == (Secret(), None)

    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
    async def test_a_value_comes_back_byte_for_byte(self, engine: Engine, value: bytes) -> None:
        await engine.apply(NAME, Secret({"key": value}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"key": value}

    async def test_values_of_all_kinds_live_in_one_secret(self, engine: Engine) -> None:
        await engine.apply(NAME, Secret(VALUES), deadline=soon())
        assert (await engine.get(NAME)).secret.data == VALUES

    @pytest.mark.parametrize("key", ["a", ".", "..", "-", "_x", "tls.crt", "data", "metadata", "A" * 253])
    async def test_every_allowed_key_works(self, engine: Engine, key: str) -> None:
        await engine.apply(NAME, Secret({key: b"1", "other": b"2"}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {key: b"1", "other": b"2"}
        await engine.delete(NAME, [key], deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"other": b"2"}

    async def test_an_apply_tells_what_it_did(self, engine: Engine) -> None:
        await engine.apply(NAME, Secret({"same": b"1", "new-value": b"1"}), deadline=soon())
        request = Secret({"same": b"1", "new-value": b"2", "added": b"3"})
        applied = await engine.apply(NAME, request, deadline=soon())
        assert applied.changed
        assert applied.changes == (
            KeyChange("added", ChangeKind.ADDED),
            KeyChange("new-value", ChangeKind.UPDATED),
        )
        stored = await engine.get(NAME)
        assert stored.secret.data == request.data
        assert stored.version == applied.version

    async def test_an_apply_removes_nothing(self, engine: Engine) -> None:
        await engine.apply(NAME, Secret({"kept": b"\xff"}), deadline=soon())
        await engine.apply(NAME, Secret({"more": b"2"}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"kept": b"\xff", "more": b"2"}

    async def test_the_same_apply_again_writes_nothing(self, engine: Engine, store: RecordingStore) -> None:
        first = await engine.apply(NAME, Secret(VALUES), deadline=soon())
        store.calls.clear()
        again = await engine.apply(NAME, Secret(VALUES), deadline=soon())
        assert (again.changed, again.changes, again.version) == (False, (), first.version)
        assert store.calls == ["read"]

    async def test_an_empty_secret_exists(self, engine: Engine) -> None:
        assert (await engine.apply(NAME, Secret(), deadline=soon())).changed
        assert (await engine.get(NAME)).present
        assert not (await engine.apply(NAME, Secret(), deadline=soon())).changed

    async def test_an_empty_secret_can_be_filled_and_removed(self, engine: Engine) -> None:
        await engine.apply(NAME, Secret(), deadline=soon())
        await engine.apply(NAME, Secret({"a": b"1"}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"a": b"1"}
        await engine.delete(NAME, [], deadline=soon())
        assert not (await engine.get(NAME)).present

    async def test_a_dry_run_writes_nothing(self, engine: Engine, store: RecordingStore) -> None:
        applied = await engine.apply(NAME, Secret({"a": b"1"}), deadline=soon(), dry_run=True)
        assert applied.changes == (KeyChange("a", ChangeKind.ADDED),)
        assert store.writes == 0
        assert not (await engine.get(NAME)).present

    async def test_a_dry_run_of_a_removal_removes_nothing(
        self, engine: Engine, store: RecordingStore
    ) -> None:
        await engine.apply(NAME, Secret({"a": b"1"}), deadline=soon())
        store.calls.clear()
        changes = await engine.delete(NAME, [], deadline=soon(), dry_run=True)
        assert changes == (KeyChange("a", ChangeKind.REMOVED),)
        assert store.writes == 0
        assert (await engine.get(NAME)).secret.data == {"a": b"1"}

    async def test_named_keys_go_and_the_others_stay(self, engine: Engine) -> None:
        await engine.apply(NAME, Secret(VALUES), deadline=soon())
        changes = await engine.delete(NAME, ["text", "unknown"], deadline=soon())
        assert changes == (KeyChange("text", ChangeKind.REMOVED),)
        remaining = {key: value for key, value in VALUES.items() if key != "text"}
        assert (await engine.get(NAME)).secret.data == remaining

    async def test_with_the_last_key_the_secret_goes(self, engine: Engine) -> None:
        await engine.apply(NAME, Secret({"a": b"1"}), deadline=soon())
        await engine.delete(NAME, ["a"], deadline=soon())
        assert not (await engine.get(NAME)).present

    @pytest.mark.parametrize("keys", [["a"], []], ids=["last-key", "whole-secret"])
    async def test_an_emptied_secret_stays_where_asked_for(self, engine: Engine, keys: list[str]) -> None:
        await engine.apply(NAME, Secret({"a": b"1"}), deadline=soon())
        await engine.delete(NAME, keys, deadline=soon(), keep_empty=True)
        stored = await engine.get(NAME)
        assert (stored.present, stored.secret.data) == (True, {})

    @pytest.mark.parametrize("keys", [["unknown"], []], ids=["one-key", "whole-secret"])
    async def test_removing_what_is_missing_writes_nothing(
        self, engine: Engine, store: RecordingStore, keys: list[str]
    ) -> None:
        assert await engine.delete(NAME, keys, deadline=soon()) == ()
        assert store.writes == 0

    async def test_a_removed_secret_is_created_anew(self, engine: Engine) -> None:
        first = await engine.apply(NAME, Secret({"old": b"1"}), deadline=soon())
        await engine.delete(NAME, [], deadline=soon())
        second = await engine.apply(NAME, Secret({"new": b"2"}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"new": b"2"}
        assert second.version is None or second.version != first.version

    async def test_secrets_do_not_touch_each_other(self, engine: Engine) -> None:
        names = [NAME, OTHER, ScopedName.parse("database"), ScopedName.parse("team/database/replica")]
        for name in names:
            await engine.apply(name, Secret({"me": str(name).encode()}), deadline=soon())
        await engine.delete(OTHER, [], deadline=soon())
        found = [(await engine.get(name)).secret.data.get("me") for name in names]
        assert found == [b"team/database", None, b"database", b"team/database/replica"]

    @pytest.mark.parametrize("name", ["a", "a/b/c/d/e/f/g/h", "n_s/A.b@c+d=e-f", "x/" + "y" * 200])
    async def test_every_allowed_name_works(self, engine: Engine, name: str) -> None:
        scoped = ScopedName.parse(name)
        await engine.apply(scoped, Secret({"a": b"1"}), deadline=soon())
        assert (await engine.get(scoped)).secret.data == {"a": b"1"}

    async def test_what_was_written_is_seen_through_another_handle(self, open_handle: OpenStore) -> None:
        first, second = engine_over(await open_handle()), engine_over(await open_handle())
        await first.apply(NAME, Secret(VALUES), deadline=soon())
        assert (await second.get(NAME)).secret.data == VALUES

    async def test_location_is_one_per_name_and_place(self, open_handle: OpenStore) -> None:
        first, second = await open_handle(), await open_handle()
        assert first.location(NAME) == second.location(NAME)
        assert first.location(NAME) != first.location(OTHER)

    async def test_writers_of_one_process_all_succeed(self, engine: Engine) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(engine.apply(NAME, Secret({f"key-{number}": b"x"}), deadline=soon()))
        assert len((await engine.get(NAME)).secret.data) == WRITERS

    async def test_more_data_than_the_limit_is_refused(self, engine: Engine, store: RecordingStore) -> None:
        too_much = Secret({"a": b"x", "b": b"x" * self.capabilities.limits.data_bytes})
        with pytest.raises(TooLarge, match=str(self.capabilities.limits.data_bytes)):
            await engine.apply(NAME, too_much, deadline=soon())
        assert store.writes == 0

    @pytest.mark.parametrize("byte", [b"x", b"\xff"], ids=["text", "binary"])
    async def test_as_much_data_as_the_limit_is_held(self, engine: Engine, byte: bytes) -> None:
        value = byte * self.capabilities.limits.data_bytes
        await engine.apply(NAME, Secret({"big": value}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"big": value}

    async def test_a_secret_grows_up_to_the_limit_and_no_further(self, engine: Engine) -> None:
        half = b"x" * (self.capabilities.limits.data_bytes // 2 + 1)
        await engine.apply(NAME, Secret({"a": half}), deadline=soon())
        with pytest.raises(TooLarge):
            await engine.apply(NAME, Secret({"b": half}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"a": half}

    async def test_the_check_of_a_working_store_passes(self, store: RecordingStore) -> None:
        warnings = await store.check()
        assert [warning for warning in warnings if not isinstance(warning, str)] == []

    async def test_closing_twice_is_fine(self, store: RecordingStore) -> None:
        await store.check()
        await store.aclose()
        await store.aclose()

    @only(lambda claimed: claimed.metadata)
    async def test_a_foreign_owner_is_refused(self, engine: Engine) -> None:
        await engine.apply(NAME, owned("uid-1", {"a": b"1"}), deadline=soon())
        with pytest.raises(NotOwner):
            await engine.apply(NAME, owned("uid-2", {"a": b"2"}), deadline=soon())
        with pytest.raises(NotOwner):
            await engine.apply(NAME, Secret({"a": b"2"}), deadline=soon())
        with pytest.raises(NotOwner):
            await engine.delete(NAME, [], owner="uid-2", deadline=soon())
        stored = await engine.get(NAME)
        assert (stored.secret.data, stored.secret.owner) == ({"a": b"1"}, "uid-1")

    @only(lambda claimed: claimed.metadata)
    async def test_the_owner_may_change_and_remove(self, engine: Engine) -> None:
        await engine.apply(NAME, owned("uid-1", {"a": b"1"}), deadline=soon())
        assert (await engine.apply(NAME, owned("uid-1", {"a": b"2"}), deadline=soon())).changed
        await engine.delete(NAME, [], owner="uid-1", deadline=soon())
        assert not (await engine.get(NAME)).present

    @only(lambda claimed: claimed.metadata)
    async def test_an_unowned_secret_is_taken_over_only_by_policy(self, store: RecordingStore) -> None:
        enforcing = engine_over(store)
        adopting = engine_over(store, policy=OwnershipPolicy.ADOPT)
        await enforcing.apply(NAME, Secret({"a": b"1"}, {"kept": "label"}), deadline=soon())
        with pytest.raises(NotOwner):
            await enforcing.apply(NAME, owned("uid-1", {"a": b"2"}), deadline=soon())
        await adopting.apply(NAME, owned("uid-1", {"a": b"2"}), deadline=soon())
        stored = (await enforcing.get(NAME)).secret
        assert (stored.data, stored.owner, stored.metadata["kept"]) == ({"a": b"2"}, "uid-1", "label")
