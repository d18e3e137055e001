"""Store configs from the cluster, followed while the process runs."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from store_plugin.cluster_api import ClusterApi
from store_plugin.config.credentials.losses import credential_problems
from store_plugin.config.credentials.of_config import ConfigCredentials
from store_plugin.config.credentials.origins import secrets_of
from store_plugin.config.credentials.sources import SETTLE_SECONDS, CredentialSources
from store_plugin.config.declarations import DeclaredConfig, Problem, SecretName
from store_plugin.config.kinds import KindName, Kinds
from store_plugin.config.kubernetes.configs import KindTarget, Taken
from store_plugin.config.kubernetes.secrets import SecretWatches
from store_plugin.config.source import SourceState
from store_plugin.config.table import ConfigTable
from store_plugin.model import ConfigReference
from store_plugin.store import Logger
from store_plugin.watching.pauses import Pauses
from store_plugin.watching.watch import Watch


class KubernetesSource:
    """Keeps a ConfigTable and its credentials as the objects of a cluster say.

    Made on the event loop that it belongs to. `await load()` once, then own a task of `run()`
    and cancel it at the end. `poll_interval`: seconds between looks at credential files.
    """

    def __init__(
        self,
        api: ClusterApi,
        kinds: Kinds,
        table: ConfigTable,
        log: Logger,
        environ: Mapping[str, str],
        *,
        poll_interval: float = 2.0,
        pauses: Pauses = Pauses(),  # noqa: B008 # frozen
    ) -> None:
        self._table = table
        self._log = log
        self._poll_interval = poll_interval
        self._sources = CredentialSources(environ, log)
        self._credentials_of = partial(ConfigCredentials, sources=self._sources)
        self._secrets = SecretWatches(api, self._sources.update_secrets, log, pauses)
        self._secrets_of: dict[ConfigReference, frozenset[SecretName]] = {}
        self._problems: dict[KindTarget, tuple[Problem, ...]] = {}
        self._taking = asyncio.Lock()
        self._api = api
        self._kinds = kinds
        self._pauses = pauses
        self._targets = {kind: KindTarget(*kind, kinds, self) for kind in kinds}
        self._watches = {kind: self._watch_of(target) for kind, target in self._targets.items()}
        self._group: asyncio.TaskGroup | None = None
        """While it runs: for watches of kinds that come later."""
        self._loading = True
        table.read_by(self._unread)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Watches that are lost, objects that are invalid, credentials whose source is gone."""
        lost = (Problem(watch.what, 0, watch.problem) for watch in self.state.watches if watch.problem)
        objects = (problem for found in self._problems.values() for problem in found)
        return (*lost, *objects, *credential_problems(self._table, self._sources))

    @property
    def state(self) -> SourceState:
        return SourceState((*(watch.state for watch in self._watches.values()), *self._secrets.states))

    def generation(self, reference: ConfigReference) -> int:
        """Of the config's object, as the API server counts it; 0 where there is none."""
        target = self._targets.get((reference.api_version, reference.kind))
        return 0 if target is None else target.generation(reference.name)

    async def load(self) -> None:
        """Read every kind, and then the Secrets that the configs refer to.

        Waits until each had an answer, however long that takes: without it nothing can be
        told to callers. A refusal is an answer.
        """
        await asyncio.gather(*(watch.list_once() for watch in tuple(self._watches.values())))
        self._loading = False
        await self._secrets.want(self._wanted(), within=None)

    def kinds_changed(self, kinds: Collection[KindName]) -> None:
        """As ConfigSource: their objects are listed, again where they were before."""
        for kind in kinds:
            if (watch := self._watches.get(kind)) is not None:
                watch.list_again()
                continue
            self._targets[kind] = KindTarget(*kind, self._kinds, self)
            self._watches[kind] = self._watch_of(self._targets[kind])
            if self._group is not None:
                self._follow(kind, self._group)

    async def run(self) -> None:
        """Follow the cluster and the credential files until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for kind in self._watches:
                    self._follow(kind, self._group)
                self._group.create_task(self._secrets.run(), name="watches of Secrets")
                self._group.create_task(self._follow_files(), name="credentials")
        finally:
            self._group = None

    def _follow(self, kind: KindName, group: asyncio.TaskGroup) -> None:
        group.create_task(self._watches[kind].run(), name=f"watch of {kind[1]}s")

    def _watch_of(self, target: KindTarget) -> Watch:
        return Watch(self._api, target.collection, target, self._log, self._pauses)

    async def take(self, kind: KindTarget, taken: Taken) -> None:
        """What a kind declares now. Secrets first: a config that names a new one finds it."""
        async with self._taking:
            for reference in taken.gone:
                self._secrets_of.pop(reference, None)
            for config in taken.declared:
                self._note_secrets(config)
            if not self._loading:
                await self._secrets.want(self._wanted())
            self._problems[kind] = taken.problems
            for problem in self._new_problems(taken):
                self._log.warning("config problem", place=problem.place, problem=problem.message)
            changed = self._table.update(taken.declared, taken.gone, self._credentials_of)
        if changed:
            self._log.info("store configs changed", changed=len(changed), configs=len(self._table.all()))

    def _note_secrets(self, config: DeclaredConfig) -> None:
        """An invalid config keeps the Secrets of its last good spec."""
        if config.spec is None:
            return
        if names := secrets_of(config.spec):
            self._secrets_of[config.reference] = names
        else:
            self._secrets_of.pop(config.reference, None)

    def _new_problems(self, taken: Taken) -> Iterable[Problem]:
        """Those of configs that were not wrong in the same way before."""
        for config in taken.declared:
            before = self._table.get(config.reference)
            if config.error is not None and (before is None or before.error != config.error):
                yield Problem(config.file, 0, config.error)

    def _wanted(self) -> frozenset[SecretName]:
        return frozenset().union(*self._secrets_of.values())

    def _unread(self, api_version: str, kind: str) -> str | None:
        """Why a config of a kind that is not in the table may exist all the same."""
        watch = self._watches.get((api_version, kind))
        if watch is None:
            return None
        return watch.state.problem or (None if watch.state.known else "nothing is known of them yet")

    async def _follow_files(self) -> None:
        changing = False
        while True:
            await asyncio.sleep(SETTLE_SECONDS if changing else self._poll_interval)
            changing = await self._sources.poll()
