"""The way from a config reference to a lease on an open store. The lookup is in memory."""

from collections import Counter
from collections.abc import Collection, Iterator

from store_plugin.config.kinds import KindName, Kinds, awaited, may_come, spelled_like
from store_plugin.config.table import ConfigTable, LoadedConfig
from store_plugin.dispatch.guards.guarded import GuardedStore
from store_plugin.dispatch.guards.observer import GuardObserver, Unobserved
from store_plugin.dispatch.lease import Lease, OpenStore
from store_plugin.dispatch.observed import ObservedStore, StoreCallObserver
from store_plugin.dispatch.pool import CLOSE_SECONDS, Pool
from store_plugin.dispatch.state import FAILING, READY, ConfigState, Counts, state_of
from store_plugin.engine import Engine, Fingerprints, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import (
    ConfigInvalid,
    ConfigNotFound,
    KindNotServed,
    PluginDisconnected,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.model import ConfigReference
from store_plugin.spec import StoreSpec
from store_plugin.store import Environment, Fleet, Logger, library_missing

_PLUGIN_MAY_COME_SECONDS = 5.0
"""When callers may ask again for a kind that no plugin has brought yet."""

_LONGEST_KIND = 63
"""Characters of an unknown kind that are compared with those that are known."""
_MOST_COMPARED = 32
"""Kinds that a misspelt one is compared with: with all that plugins may bring, it would hold others up."""


class Router:
    """Leases engines by config reference, as the table says at that moment."""

    def __init__(
        self,
        table: ConfigTable,
        kinds: Kinds,
        locks: LocationLocks,
        log: Logger,
        observe: StoreCallObserver,
        guards: GuardObserver | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        self.kinds = kinds
        self._table = table
        self._locks = locks
        self._fingerprints = Fingerprints()
        self._log = log
        self._observe = observe
        self._guards = guards or Unobserved()
        self._fleet = fleet
        self._pool = Pool(self._open, log)
        self._stop_following = table.subscribe(self._on_change)

    def find(self, reference: ConfigReference) -> tuple[LoadedConfig, StoreSpec]:
        """The config in effect and its spec; opens nothing.

        KindNotServed, PluginDisconnected where a plugin may bring the kind and none has yet,
        ConfigNotFound, ConfigInvalid where there never was a good spec, StoreUnavailable where
        it is not known what configs of the kind there are.
        """
        config = self._table.get(reference)
        if config is None or config.spec is None:
            raise self._refusal(reference, config)
        return config, config.spec

    async def lease_of(self, config: LoadedConfig, spec: StoreSpec) -> Lease:
        """A lease, to be used in a `with` block, on the store of what `find` returned; await
        nothing between the two. Raises what opening the store raises."""
        return await self._pool.lease(config, spec)

    async def lease(self, reference: ConfigReference) -> Lease:
        """`find` and `lease_of` in one, for whoever may use every scope."""
        return await self._pool.lease(*self.find(reference))

    def reopen(self, kinds: Collection[KindName]) -> None:
        """Open the stores of these kinds anew for calls to come, because they may be able to do
        other things now; calls under way finish on those that are open."""
        for entry in self._pool.entries():
            reference = entry.config.reference
            if (reference.api_version, reference.kind) in kinds:
                self._pool.retire(reference)

    def states(self) -> Iterator[ConfigState]:
        """Every config as it is doing, ordered by kind and name; each is looked at when it is
        asked for."""
        return map(self._state, sorted(self._table.all(), key=lambda config: str(config.reference)))

    def broken(self) -> Iterator[ConfigState]:
        """The configs that something is wrong with: those declared wrongly, then those whose
        stores fail."""
        yield from map(self._state, self._table.broken())
        yield from map(self._state, self._failing())

    def counts(self) -> Counts:
        """How many configs and stores there are; looks at none but those that had a request."""
        configs = Counter(
            {(kind, state_of(status)): number for (kind, status), number in self._table.counts().items()}
        )
        for config in self._failing():
            configs[config.reference.kind, READY] -= 1
            configs[config.reference.kind, FAILING] += 1
        counts = Counts(+configs, Counter())
        for entry in self._pool.entries():
            if (guards := entry.guards) is not None:
                kind = entry.config.reference.kind
                counts.open_stores[kind] += 1
                counts.breakers[kind, guards.breaker.value] += 1
                counts.in_flight[kind] += guards.in_flight
                counts.waiting[kind] += guards.waiting
        return counts

    async def aclose(self, wait: float = CLOSE_SECONDS) -> None:
        """Close all stores, at the latest `wait` seconds and the time to close them later."""
        self._stop_following()
        await self._pool.aclose(wait)

    def _refusal(self, reference: ConfigReference, config: LoadedConfig | None) -> StorePluginError:
        if may_come(self.kinds, reference.api_version, reference.kind):
            return PluginDisconnected(awaited(_short(reference.kind)), retry_after=_PLUGIN_MAY_COME_SECONDS)
        if (reference.api_version, reference.kind) not in self.kinds:
            asked = f"{_short(reference.kind)} ({_short(reference.api_version)})"
            return KindNotServed(f"no store here serves the kind {asked}; {self._likely(reference)}")
        if config is None:
            if unread := self._table.unread(reference.api_version, reference.kind):
                return StoreUnavailable(f"{reference.kind}s cannot be read now: {unread}", retry_after=1.0)
            return ConfigNotFound(f"there is no {reference.kind} named {_short(reference.name)}")
        return ConfigInvalid(f"{reference} is invalid: {config.error}")

    def _likely(self, reference: ConfigReference) -> str:
        """The kind that may be meant: of another group, or spelled otherwise; or else all of them."""
        asked = reference.kind[:_LONGEST_KIND]
        names = {kind for _, kind in self.kinds}
        meant = asked if asked in names or len(names) > _MOST_COMPARED else spelled_like(asked, names)
        likely = sorted(f"{version}/{kind}" for version, kind in self.kinds if kind == meant)
        if likely:
            return f"did you mean {' or '.join(likely)}?"
        return "served: " + (
            ", ".join(sorted(f"{kind} ({version})" for version, kind in self.kinds)) or "none"
        )

    async def _open(self, config: LoadedConfig) -> OpenStore:
        reference, spec = config.reference, config.spec
        assert spec is not None  # checked before a lease is asked for
        factory = self.kinds[reference.api_version, reference.kind].load()
        await config.credentials.load()
        environment = Environment(str(reference), config.credentials, self._log, self._fleet)
        try:
            opened = await factory.open(spec, environment)
        except ImportError as error:  # a store may leave its libraries until it is opened
            raise library_missing(reference.kind, error) from error
        store = ObservedStore(opened, reference, self._observe)
        guarded = GuardedStore(store, reference, spec, self._guards, self._log)
        engine = Engine(guarded, _rules(spec), self._locks, fingerprints=self._fingerprints)
        return OpenStore(engine, store, guarded)

    def _on_change(self, changed: Collection[ConfigReference]) -> None:
        for reference in changed:
            config = self._table.get(reference)
            self._pool.retire(reference, except_generation=config.generation if config else None)

    def _failing(self) -> Iterator[LoadedConfig]:
        """The configs that are valid and whose stores fail."""
        for entry in self._pool.entries():
            if entry.problem is not None:
                config = self._table.get(entry.config.reference)
                if config is not None and config.error is None:
                    yield config

    def _state(self, config: LoadedConfig) -> ConfigState:
        entry = self._pool.entry(config.reference)
        health = entry.health if entry is not None else None
        problem = entry.problem if entry is not None else None
        return ConfigState(
            reference=config.reference,
            generation=config.generation,
            state=FAILING if config.error is None and problem is not None else state_of(config.status),
            source=config.source,
            last_error=config.error or problem,
            open=health is not None,
            leases=self._pool.leases(config.reference),
            last_error_at=health.last_error_at if health else None,
            last_success_at=health.last_success_at if health else None,
            retry_at=health.retry_at if health else None,
            guards=entry.guards if entry is not None else None,
        )


def _rules(spec: StoreSpec) -> Rules:
    return Rules(
        ownership=OwnershipPolicy(spec.ownership.policy),
        require_owner_on_delete=spec.ownership.require_on_delete,
        keep_existing=spec.update_policy == "IfNotExists",
        drift_check_interval=spec.drift_check_interval,
    )


def _short(text: str) -> str:
    """What a caller sent, for a message: quoted, and not the whole of a long one."""
    return repr(text if len(text) <= 64 else text[:61] + "...")
