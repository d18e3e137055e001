"""Opens a Vault store. Imported with the first use of one: hvac is not cheap."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from store_plugin.spec import AccessRule
from store_plugin.store import Environment, Store
from stores._samples import scopes_of
from stores.vault.adapter import VaultAdapter
from stores.vault.auth import method_for
from stores.vault.cluster.transport import ClusterTransport
from stores.vault.http.transport import Transport, open_transport
from stores.vault.kv.engine import KeyValue
from stores.vault.kv.version1 import KeyValue1
from stores.vault.kv.version2 import KeyValue2
from stores.vault.scope import has_scope
from stores.vault.secret_ids import SecretIds
from stores.vault.session.authorized import AuthorizedAdapter
from stores.vault.session.session import Session
from stores.vault.spec import VaultSpec
from stores.vault.store import VaultStore, place_of
from stores.vault.tenants.logins import Logins
from stores.vault.tenants.store import TenantsStore


def open_store(spec: VaultSpec, environment: Environment, pod_token: Path, secret_ids: SecretIds) -> Store:
    """A store that logs in with its first request. Raises ConfigInvalid."""
    opening = _Opening(environment, _transport(spec, environment), pod_token, secret_ids)
    return opening.tenants(spec) if has_scope(spec.auth.role) else opening.single(spec)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What the logins of one config share."""

    environment: Environment
    transport: Transport
    pod_token: Path
    secret_ids: SecretIds

    def single(self, spec: VaultSpec) -> VaultStore:
        """One login, which owns the transport."""
        session = self._session(spec)

        def credentials_changed() -> None:
            session.credentials_changed()
            self.transport.reload()

        return self._store(spec, session, self.transport, credentials_changed)

    def tenants(self, spec: VaultSpec) -> TenantsStore:
        """A login for each scope."""
        return TenantsStore(
            _key_value(spec, VaultAdapter(self.transport, {})),
            place_of(spec),
            Logins(lambda scope: self._tenant(_of_tenant(spec, scope))),
            self.transport,
            list(dict.fromkeys(scope.partition("/")[0] for scope in scopes_of(spec))),
            self.environment.credentials.subscribe(self.transport.reload),
        )

    def _tenant(self, spec: VaultSpec) -> VaultStore:
        session = self._session(spec)
        return self._store(spec, session, None, session.credentials_changed)

    def _session(self, spec: VaultSpec) -> Session:
        return Session(
            method_for(spec, self.environment.credentials, self.pod_token, self.secret_ids),
            self.transport,
            namespace=spec.namespace,
            login_namespace=spec.login_namespace,
            log=self.environment.log,
        )

    def _store(
        self, spec: VaultSpec, session: Session, owned: Transport | None, changed: Callable[[], None]
    ) -> VaultStore:
        adapter = AuthorizedAdapter(self.transport, session)
        unsubscribe = self.environment.credentials.subscribe(changed)
        return VaultStore(spec, _key_value(spec, adapter), adapter, session, owned, unsubscribe)


def _of_tenant(spec: VaultSpec, scope: str) -> VaultSpec:
    """The config as if there were only this scope."""
    scopes = [known for known in scopes_of(spec) if known.partition("/")[0] == scope]
    access = (AccessRule(scopes=tuple(scopes or [scope])),)
    return spec.model_copy(update={"auth": spec.auth.of_scope(scope), "access": access})


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
