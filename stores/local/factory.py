"""How a LocalConfig becomes an open store."""

import asyncio
import os
from importlib import import_module
from pathlib import Path

from store_plugin.errors import StoreUnavailable
from store_plugin.store import Environment, Store
from stores.local.spec import LocalSpec


class LocalFactory:
    """The `StoreFactory` of LocalConfig."""

    @property
    def spec_model(self) -> type[LocalSpec]:
        return LocalSpec

    async def open(self, spec: LocalSpec, environment: Environment) -> Store:
        """Open the file, made where it is missing. ConfigInvalid where the path or a key
        cannot be used; a disk that fails just now is left to the calls that need it."""
        await asyncio.to_thread(import_module, "stores.local.store")  # cryptography is not cheap
        from stores.local.store import LocalStore

        path = await asyncio.to_thread(os.path.realpath, spec.path)
        store = LocalStore(spec, Path(path), environment)
        try:
            await store.open()
        except StoreUnavailable as error:
            environment.log.warning("the file cannot be opened yet", reason=error.message)
        except BaseException:
            await store.aclose()
            raise
        return store
