"""Opens a Vault store. Imported with the first use of one: hvac is not cheap."""

from dataclasses import replace
from pathlib import Path

from store_plugin.store import Environment
from stores.vault.adapter import VaultAdapter
from stores.vault.auth import method_for
from stores.vault.authorized import AuthorizedAdapter
from stores.vault.cluster.transport import ClusterTransport
from stores.vault.kv.engine import KeyValue
from stores.vault.kv.version1 import KeyValue1
from stores.vault.kv.version2 import KeyValue2
from stores.vault.secret_ids import SecretIds
from stores.vault.session import Session
from stores.vault.spec import VaultSpec
from stores.vault.store import VaultStore
from stores.vault.transport import Transport, open_transport


def open_store(
    spec: VaultSpec, environment: Environment, pod_token: Path, secret_ids: SecretIds
) -> VaultStore:
    """A store that logs in with its first request. Raises ConfigInvalid."""
    credentials = environment.credentials
    transport = _transport(spec, environment)
    session = Session(
        method_for(spec, credentials, pod_token, secret_ids),
        transport,
        namespace=spec.namespace,
        login_namespace=spec.login_namespace,
        log=environment.log,
    )

    def credentials_changed() -> None:
        session.credentials_changed()
        transport.reload()

    adapter = AuthorizedAdapter(transport, session)
    unsubscribe = credentials.subscribe(credentials_changed)
    return VaultStore(spec, _key_value(spec, adapter), adapter, session, transport, unsubscribe)


def _transport(spec: VaultSpec, environment: Environment) -> ClusterTransport:
    def open_to(server: str) -> Transport:
        if server == spec.server:
            return open_transport(spec, environment)
        named = replace(environment, config=f"{environment.config} (at {server})")
        return open_transport(spec.model_copy(update={"server": server}), named)

    return ClusterTransport(spec.server, open_to, spec.timeout)


def _key_value(spec: VaultSpec, adapter: VaultAdapter) -> KeyValue:
    if spec.version == "v1":
        return KeyValue1(adapter, spec.mount_path, spec.path_prefix)
    return KeyValue2(adapter, spec.mount_path, spec.path_prefix, spec.max_versions)
