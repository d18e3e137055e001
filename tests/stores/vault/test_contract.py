import pytest

from store_plugin.engine import Engine
from store_plugin.model import ScopedName, Secret
from store_plugin.store import Store
from store_plugin.testing._contract_base import NAME, soon
from store_plugin.testing.contract import Bury, OpenStore, StoreContract
from stores.vault.kv.version1 import KeyValue1
from stores.vault.kv.version2 import KeyValue2
from tests.stores.vault.opening import open_with_token
from tests.support.openbao import OpenBao

pytestmark = pytest.mark.usefixtures("both_clients")


class TestKeyValue2(StoreContract):
    capabilities = KeyValue2.capabilities

    @pytest.fixture
    def mount(self, bao: OpenBao) -> str:
        return bao.mount_kv("v2")

    @pytest.fixture
    def open_store(self, bao: OpenBao, mount: str) -> OpenStore:
        return lambda: open_with_token(bao, mount, server=bao.roomy_address)

    @pytest.fixture
    def bury(self, bao: OpenBao, mount: str) -> Bury:
        async def bury(store: Store, name: ScopedName) -> None:
            bao.api("DELETE", f"{mount}/data/{name}")

        return bury

    async def test_a_removed_secret_is_created_anew(self, engine: Engine) -> None:
        """The suite's own wants another version, and the server counts from 1 again."""
        for key in ("old", "new"):
            await engine.apply(NAME, Secret({key: b"1"}), deadline=soon())
            assert (await engine.get(NAME)).secret.data == {key: b"1"}
            await engine.delete(NAME, [], deadline=soon())


class TestKeyValue2WithDestroyedVersions(TestKeyValue2):
    @pytest.fixture
    def bury(self, bao: OpenBao, mount: str) -> Bury:
        async def bury(store: Store, name: ScopedName) -> None:
            version = (await store.read(name)).version
            bao.api("PUT", f"{mount}/destroy/{name}", {"versions": [int(version or 0)]})

        return bury


class TestKeyValue1(StoreContract):
    capabilities = KeyValue1.capabilities

    @pytest.fixture
    def open_store(self, bao: OpenBao) -> OpenStore:
        mount = bao.mount_kv("v1")
        return lambda: open_with_token(bao, mount, server=bao.roomy_address, version="v1")
