"""The tests that every store passes, ours and third parties'.

A store's tests inherit `StoreContract`, say which capabilities the store claims and how
to open it:

    class TestMyStore(StoreContract):
        capabilities = Capabilities(compare_and_set=True, conditional_delete=False)

        @pytest.fixture
        def open_store(self, tmp_path: Path) -> OpenStore:
            async def open_store() -> Store:
                return await MyStore.open(tmp_path)

            return open_store

`open_store` may be an async fixture and may ask for any other fixture (a server, a
directory). Within one test its result is called once or twice: the first call finds an
empty place, the second opens another handle to that same place, as another process
would. The suite closes every handle; what else needs cleaning, the fixture does.

A store with tombstones also overrides the fixture `bury`, which removes a secret the way
another client of the service does, such that a tombstone stays.

A test of a claim is collected only where the claim is made; where it is not made, a test
of the honest opposite is collected instead. So no test is ever skipped. The suite runs in
pytest-asyncio's strict and auto modes. For readable failures:
`pytest.register_assert_rewrite("store_plugin.testing")` in your conftest.py.
"""

from store_plugin.testing._contract_base import Bury, OpenStore
from store_plugin.testing._contract_claims import ClaimTests
from store_plugin.testing._contract_rules import RuleTests

__all__ = ["Bury", "OpenStore", "StoreContract"]


class StoreContract(RuleTests, ClaimTests):
    """All tests: the rules that hold over any store, and a proof of each claim."""
