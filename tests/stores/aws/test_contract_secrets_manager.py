from typing import Any

import pytest

from store_plugin.model import ScopedName
from store_plugin.store import Store
from store_plugin.testing.contract import Bury, OpenStore
from stores.aws.secrets_manager import SecretsManager
from stores.aws.spec import SecretsManagerOptions
from tests.stores.aws.opening import new_prefix, open_static
from tests.stores.aws.tag_contract import TagContract
from tests.support.moto import Moto


def capabilities_of(**options: Any) -> Any:
    spec = SecretsManagerOptions.model_validate(options)
    return SecretsManager(None, "", spec, "", None).capabilities  # type: ignore[arg-type]


class TestSecretsManager(TagContract):
    capabilities = capabilities_of()

    @pytest.fixture
    def prefix(self) -> str:
        return new_prefix()

    @pytest.fixture
    def open_store(self, moto: Moto, prefix: str) -> OpenStore:
        return lambda: open_static(moto.address, prefix=prefix)

    @pytest.fixture
    def bury(self, moto: Moto, prefix: str) -> Bury:
        client = moto.client("secretsmanager")

        async def bury(store: Store, name: ScopedName) -> None:
            client.delete_secret(SecretId=f"{prefix}/{name}", RecoveryWindowInDays=7)

        return bury


class TestSecretsManagerWithForcedDeletion(TestSecretsManager):
    capabilities = capabilities_of(tags={"managed-by": "store-plugin"}, forceDelete=True)

    @pytest.fixture
    def open_store(self, moto: Moto, prefix: str) -> OpenStore:
        options = {"forceDelete": True, "tags": {"managed-by": "store-plugin"}}
        return lambda: open_static(moto.address, prefix=prefix, secretsManager=options)
