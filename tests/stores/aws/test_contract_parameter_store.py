from typing import Any, ClassVar

import pytest

from store_plugin.engine import Engine
from store_plugin.errors import NameNotSupported
from store_plugin.model import ScopedName, Secret
from store_plugin.store import Capabilities
from store_plugin.testing._contract_base import NAME, soon
from store_plugin.testing.contract import OpenStore
from store_plugin.testing.environment import RecordingLog
from stores.aws.parameter_store import ParameterStore
from stores.aws.spec import ParameterStoreOptions
from tests.stores.aws.opening import new_prefix, open_static
from tests.stores.aws.tag_contract import TagContract
from tests.support.moto import REGION, Moto


def capabilities_of(**options: Any) -> Capabilities:
    spec = ParameterStoreOptions.model_validate(options)
    return ParameterStore(None, "", spec, "", REGION, RecordingLog()).capabilities  # type: ignore[arg-type]


class TestParameterStore(TagContract):
    capabilities = capabilities_of()
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def open_store(self, moto: Moto) -> OpenStore:
        place: dict[str, Any] = {
            "service": "ParameterStore",
            "prefix": new_prefix(),
            "parameterStore": self.options,
        }
        return lambda: open_static(moto.address, **place)

    @pytest.mark.parametrize("name", ["a", "a/b/c/d/e/f/g/h", "n_s/A.b_c-d", "x/" + "y" * 200])
    async def test_every_allowed_name_works(self, engine: Engine, name: str) -> None:
        """The suite's own has characters that parameters cannot have in their names."""
        scoped = ScopedName.parse(name)
        await engine.apply(scoped, Secret({"a": b"1"}), deadline=soon())
        assert (await engine.get(scoped)).secret.data == {"a": b"1"}

    @pytest.mark.parametrize("name", ["a@b", "a+b", "a=b", "/".join(["x" * 200] * 5)])
    async def test_a_name_that_the_service_refuses_is_not_supported(
        self, engine: Engine, moto: Moto, name: str
    ) -> None:
        with pytest.raises(NameNotSupported):
            await engine.get(ScopedName.parse(name))
        assert moto.calls() == {}

    async def test_a_removed_secret_is_created_anew(self, engine: Engine) -> None:
        """The suite's own wants another version, and the service counts from 1 again."""
        for key in ("old", "new"):
            await engine.apply(NAME, Secret({key: b"1"}), deadline=soon())
            assert (await engine.get(NAME)).secret.data == {key: b"1"}
            await engine.delete(NAME, [], deadline=soon())


class TestAdvancedParameterStore(TestParameterStore):
    options: ClassVar[dict[str, Any]] = {
        "tier": "Advanced",
        "type": "String",
        "tags": {"managed-by": "store-plugin"},
    }
    capabilities = capabilities_of(**options)
