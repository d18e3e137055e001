"""The way from a config reference to a lease on an open store. The lookup is in memory."""

from collections.abc import Collection

from store_plugin.config.manifests import Kinds
from store_plugin.config.table import ConfigStatus, ConfigTable, LoadedConfig
from store_plugin.dispatch.observed import ObservedStore, StoreCallObserver
from store_plugin.dispatch.pool import CLOSE_SECONDS, Lease, OpenStore, Pool
from store_plugin.dispatch.state import ConfigState
from store_plugin.engine import Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import ConfigInvalid, ConfigNotFound, KindNotServed
from store_plugin.model import ConfigReference
from store_plugin.spec import StoreSpec
from store_plugin.store import Environment, Logger

__all__ = ["Lease", "Router"]


class Router:
    """Leases engines by config reference, as the table says at that moment."""

    def __init__(
        self,
        table: ConfigTable,
        kinds: Kinds,
        locks: LocationLocks,
        log: Logger,
        observe: StoreCallObserver,
    ) -> None:
        self.kinds = kinds
        self._table = table
        self._locks = locks
        self._log = log
        self._observe = observe
        self._pool = Pool(self._open, log)
        self._stop_following = table.subscribe(self._on_change)

    async def lease(self, reference: ConfigReference) -> Lease:
        """A lease, to be used in a `with` block.

        KindNotServed, ConfigNotFound, ConfigInvalid, and what opening the store raises.
        """
        config = self._table.get(reference)
        if config is None or config.spec is None:
            raise self._refusal(reference, config)
        return await self._pool.lease(config, config.spec)

    def states(self) -> list[ConfigState]:
        """Every config as it is doing, ordered by kind and name."""
        configs = sorted(self._table.all(), key=lambda config: str(config.reference))
        return [self._state(config) for config in configs]

    async def aclose(self, wait: float = CLOSE_SECONDS) -> None:
        """Close all stores, at the latest `wait` seconds and the time to close them later."""
        self._stop_following()
        await self._pool.aclose(wait)

    def _refusal(
        self, reference: ConfigReference, config: LoadedConfig | None
    ) -> ConfigInvalid | ConfigNotFound | KindNotServed:
        if (reference.api_version, reference.kind) not in self.kinds:
            served = ", ".join(sorted(f"{kind} ({version})" for version, kind in self.kinds)) or "none"
            asked = f"{_short(reference.kind)} ({_short(reference.api_version)})"
            return KindNotServed(f"no store here serves the kind {asked}; served: {served}")
        if config is None:
            return ConfigNotFound(f"there is no {reference.kind} named {_short(reference.name)}")
        return ConfigInvalid(f"{reference} is invalid: {config.error}")

    async def _open(self, config: LoadedConfig) -> OpenStore:
        reference, spec = config.reference, config.spec
        assert spec is not None  # checked before a lease is asked for
        factory = self.kinds[reference.api_version, reference.kind].load()
        await config.credentials.load()
        environment = Environment(str(reference), config.credentials, self._log)
        store = ObservedStore(await factory.open(spec, environment), reference.kind, self._observe)
        return OpenStore(Engine(store, _rules(spec), self._locks), store)

    def _on_change(self, changed: Collection[ConfigReference]) -> None:
        for reference in changed:
            config = self._table.get(reference)
            self._pool.retire(reference, except_generation=config.generation if config else None)

    def _state(self, config: LoadedConfig) -> ConfigState:
        pooled = self._pool.state(config.reference)
        health = pooled.opened.store.health if pooled.opened else None
        failing = health.last_error if health is not None and health.failing else pooled.failure
        state = "Ready" if failing is None else "Failing"
        if config.status is not ConfigStatus.VALID:
            state = config.status.value
        return ConfigState(
            reference=config.reference,
            generation=config.generation,
            state=state,
            source=config.source,
            last_error=config.error or failing,
            open=pooled.open,
            leases=pooled.leases,
            last_error_at=health.last_error_at if health else None,
            last_success_at=health.last_success_at if health else None,
        )


def _rules(spec: StoreSpec) -> Rules:
    return Rules(
        ownership=OwnershipPolicy(spec.ownership.policy),
        require_owner_on_delete=spec.ownership.require_on_delete,
        keep_existing=spec.update_policy == "IfNotExists",
    )


def _short(text: str) -> str:
    """What a caller sent, for a message: quoted, and not the whole of a long one."""
    return repr(text if len(text) <= 64 else text[:61] + "...")
