"""Secrets of a real cluster keep the contract of stores."""

from collections.abc import Iterator

import pytest

from store_plugin.engine import Engine
from store_plugin.errors import InvalidRequest
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from store_plugin.store import Store
from store_plugin.testing._contract_base import NAME, OTHER, only, soon
from store_plugin.testing.contract import OpenStore, StoreContract
from store_plugin.testing.recording import RecordingStore
from stores.kubernetes.store import CAPABILITIES
from tests.stores.kubernetes.opening import credentials, open_store, secrets
from tests.support.kubernetes import ApiError, Cluster

NAMESPACES = ("team", "other", "teams")


class TestKubernetes(StoreContract):
    capabilities = CAPABILITIES

    @pytest.fixture
    def namespaces(self, cluster: Cluster) -> Iterator[None]:
        """Those that the suite names, empty."""
        for name in NAMESPACES:
            try:
                cluster.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
            except ApiError as error:
                assert error.status == 409
        yield
        for name in NAMESPACES:
            cluster.api("DELETE", secrets(name))

    @pytest.fixture
    def open_store(self, cluster: Cluster, namespaces: None) -> OpenStore:
        async def opened() -> Store:
            return await open_store(credentials(cluster))

        return opened

    @only(lambda claimed: claimed.metadata)
    async def test_metadata_comes_back(self, engine: Engine) -> None:
        """The suite's own has a comma in a value, which no label has."""
        secret = Secret({"a": b"1"}, {OWNER_LABEL: "uid-1", "example.org/team": "A-1_2.3", "empty": ""})
        await engine.apply(NAME, secret, deadline=soon())
        assert (await engine.get(NAME)).secret == secret

    async def test_secrets_do_not_touch_each_other(self, engine: Engine) -> None:
        """The suite's own has names of one and three segments."""
        names = [NAME, OTHER, ScopedName.parse("other/database"), ScopedName.parse("teams/database")]
        for name in names:
            await engine.apply(name, Secret({"me": str(name).encode()}), deadline=soon())
        await engine.delete(OTHER, [], deadline=soon())
        found = [(await engine.get(name)).secret.data.get("me") for name in names]
        assert found == [b"team/database", None, b"other/database", b"teams/database"]

    @pytest.mark.parametrize("name", ["team/a", "team/a.b-c.d", "team/" + "y" * 63])
    async def test_every_allowed_name_works(self, engine: Engine, name: str) -> None:
        await super().test_every_allowed_name_works(engine, name)

    @only(lambda claimed: claimed.listing)
    async def test_names_lists_what_is_there(self, engine: Engine, store: RecordingStore) -> None:
        for name in ("team/a", "teams/c", "team/gone"):
            await engine.apply(ScopedName.parse(name), Secret({"a": b"1"}), deadline=soon())
        await engine.delete(ScopedName.parse("team/gone"), [], deadline=soon())
        everywhere = [str(name) async for name in store.names() if name.scope in NAMESPACES]
        assert everywhere == ["team/a", "teams/c"]
        assert [str(name) async for name in store.names("team")] == ["team/a"]
        assert [str(name) async for name in store.names("nowhere")] == []

    @pytest.mark.parametrize("key", ["a", "-", "_x", ".x", "tls.crt", "data", "metadata", "A" * 253])
    async def test_every_allowed_key_works(self, engine: Engine, key: str) -> None:
        """The suite has two keys more, which the next test shows to be refused."""
        await engine.apply(NAME, Secret({key: b"1", "other": b"2"}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {key: b"1", "other": b"2"}
        await engine.delete(NAME, [key], deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"other": b"2"}

    @pytest.mark.parametrize("key", [".", "..", "..x"])
    async def test_a_key_that_kubernetes_does_not_take_is_refused(self, engine: Engine, key: str) -> None:
        with pytest.raises(InvalidRequest, match="is not allowed in a Secret"):
            await engine.apply(NAME, Secret({key: b"1"}), deadline=soon())
