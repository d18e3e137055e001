"""The contract suite where metadata are tags and a document has a limit of its own."""

import pytest

from store_plugin.engine import Engine
from store_plugin.errors import TooLarge
from store_plugin.model import OWNER_LABEL, Secret
from store_plugin.testing._contract_base import NAME, only, soon
from store_plugin.testing.contract import StoreContract


class TagContract(StoreContract):
    """All of the suite; three tests say what they say in terms that fit AWS."""

    @only(lambda claimed: claimed.metadata)
    async def test_metadata_comes_back(self, engine: Engine) -> None:
        """The suite's own has a comma in a value, which AWS does not take in tags."""
        secret = Secret({"a": b"1"}, {OWNER_LABEL: "uid-1", "team": "Straße 7: 世界", "empty": ""})
        await engine.apply(NAME, secret, deadline=soon())
        assert (await engine.get(NAME)).secret == secret

    @pytest.mark.parametrize("byte", [b"x", b"\xff"], ids=["text", "binary"])
    async def test_as_much_data_as_the_limit_is_held(self, engine: Engine, byte: bytes) -> None:
        """The limit is for text; bytes that are none are stored as base64."""
        limit = self.capabilities.limits.data_bytes
        value = byte * (limit if byte == b"x" else limit * 3 // 4 - 2)
        await engine.apply(NAME, Secret({"big": value}), deadline=soon())
        assert (await engine.get(NAME)).secret.data == {"big": value}

    async def test_a_document_over_the_limit_is_refused(self, engine: Engine) -> None:
        limit = self.capabilities.limits.data_bytes
        with pytest.raises(TooLarge, match=f"at most {limit + 36} "):
            await engine.apply(NAME, Secret({"big": b"\xff" * limit}), deadline=soon())
        assert not (await engine.get(NAME)).present
