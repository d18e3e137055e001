"""Secrets in a KV secrets engine of HashiCorp Vault or OpenBao.

hvac and aiohttp are imported below here and nowhere else.
"""

from pathlib import Path

from store_plugin.store import Environment, StoreFactory
from stores.vault.auth import method_for
from stores.vault.authorized import AuthorizedAdapter
from stores.vault.kv import KeyValue
from stores.vault.kv1 import KeyValue1
from stores.vault.kv2 import KeyValue2
from stores.vault.session import Session
from stores.vault.spec import VaultSpec
from stores.vault.store import VaultStore
from stores.vault.transport import Transport

__all__ = ["VaultFactory", "VaultSpec", "VaultStore", "factory"]

_POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class VaultFactory:
    """Opens stores. `pod_token` is the file of the ServiceAccount token that logins use
    where the config names none."""

    spec_model = VaultSpec

    def __init__(self, pod_token: Path = _POD_TOKEN) -> None:
        self._pod_token = pod_token

    async def open(self, spec: VaultSpec, environment: Environment) -> VaultStore:
        """A store that logs in with its first request."""
        credentials = environment.credentials
        transport = Transport(spec, credentials, environment.config)
        session = Session(
            method_for(spec.auth, credentials, self._pod_token),
            transport,
            namespace=spec.namespace,
            login_namespace=spec.login_namespace,
            log=environment.log,
        )

        def credentials_changed() -> None:
            session.credentials_changed()
            transport.reload()

        adapter = AuthorizedAdapter(transport, session)
        key_value: KeyValue = (KeyValue1 if spec.version == "v1" else KeyValue2)(adapter, spec.mount_path)
        unsubscribe = credentials.subscribe(credentials_changed)
        return VaultStore(spec, key_value, adapter, session, transport, unsubscribe)


factory: StoreFactory[VaultSpec] = VaultFactory()
