"""Secrets in a KV secrets engine of HashiCorp Vault or OpenBao.

hvac and an HTTP client are imported below here and nowhere else, not before a store is opened.
"""

import asyncio
from importlib import import_module
from pathlib import Path

from store_plugin.store import Environment, Store, StoreFactory
from stores.vault.secret_ids import SecretIds
from stores.vault.spec import VaultSpec

_POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class VaultFactory:
    """Opens stores. `pod_token` is the file of the ServiceAccount token that logins use
    where the config names none."""

    spec_model = VaultSpec

    def __init__(self, pod_token: Path = _POD_TOKEN) -> None:
        self._pod_token = pod_token
        self._secret_ids = SecretIds()

    async def open(self, spec: VaultSpec, environment: Environment) -> Store:
        """A store that logs in with its first request."""
        await asyncio.to_thread(import_module, "stores.vault.opening")
        from stores.vault.opening import open_store

        return open_store(spec, environment, self._pod_token, self._secret_ids)


factory: StoreFactory[VaultSpec] = VaultFactory()
