"""The Secrets that configs take their credentials from, each followed on its own.

A watch of one name is all that a role has to allow. Where a namespace has many that are asked
for, one watch of the namespace follows them all; what else is in there is dropped at once.
"""

import asyncio
import binascii
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from store_plugin.cluster_api import ClusterApi, Json
from store_plugin.config.declarations import SecretName
from store_plugin.config.kubernetes.configs import name_of
from store_plugin.config.merging import NoSecret, SecretData
from store_plugin.store import Logger
from store_plugin.watching.pauses import Pauses
from store_plugin.watching.requests import Collection, Event
from store_plugin.watching.state import WatchState
from store_plugin.watching.watch import Watch

BY_NAME = 32
"""Most Secrets of one namespace that are watched one by one."""
_FIRST_ANSWERS = 2.0
"""Seconds that a new config waits for its Secrets at most; they may come later as well."""
_PATH = "/api/v1/namespaces/{namespace}/secrets"
ABSENT = NoSecret("does not exist in the cluster; create it, or name another in the config")
"""What a Secret is that is not there."""
_UNREADABLE = NoSecret("holds something that is not base64")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one watch follows: these Secrets of a namespace, by the name of the only one or by
    a look at all that are there."""

    namespace: str
    names: frozenset[str]
    by_name: bool

    @property
    def collection(self) -> Collection:
        if not self.by_name:
            return Collection(f"Secrets of {self.namespace}", _PATH, {"namespace": self.namespace})
        (name,) = self.names
        what, selector = f"Secret {self.namespace}/{name}", f"metadata.name={name}"
        return Collection(what, _PATH, {"namespace": self.namespace}, selector)


@dataclass(slots=True)
class _Followed:
    watch: Watch
    target: "SecretTarget"
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)


class SecretWatches:
    """Follows the Secrets that are wanted. Own a task of `run()`.

    `changed` is called with all data after any of it changed. Belongs to one event loop.
    """

    def __init__(
        self,
        api: ClusterApi,
        changed: Callable[[SecretData], None],
        log: Logger,
        pauses: Pauses,
        by_name: int = BY_NAME,
    ) -> None:
        self._api = api
        self._changed = changed
        self._log = log
        self._pauses = pauses
        self._by_name = by_name
        self._followed: dict[Scope, _Followed] = {}
        self._wanted: frozenset[SecretName] = frozenset()
        self._scope_of: dict[SecretName, Scope] = {}
        self._news = asyncio.Event()

    @property
    def states(self) -> tuple[WatchState, ...]:
        return tuple(followed.watch.state for followed in self._followed.values())

    def data(self) -> SecretData:
        """Every wanted Secret, or why there is none."""
        return {name: _told(self._followed[scope], name.name) for name, scope in self._scope_of.items()}

    async def want(self, wanted: Iterable[SecretName], within: float | None = _FIRST_ANSWERS) -> None:
        """Follow these and no others. Returns once each new one had its first answer, or after
        `within` seconds (None: however long it takes)."""
        before, self._wanted = self._wanted, frozenset(wanted)
        if before == self._wanted:
            return
        scopes = scopes_of(self._wanted, self._by_name)
        new = [scope for scope in scopes if scope not in self._followed]
        for scope in new:
            target = SecretTarget(scope, self._tell)
            watch = Watch(self._api, scope.collection, target, self._log, self._pauses)
            self._followed[scope] = _Followed(watch, target)
        await self._first_answers([self._followed[scope].watch for scope in new], within)
        # Only now, after the new ones had their answers: what is wanted stays known meanwhile.
        self._scope_of = {
            SecretName(scope.namespace, name): scope for scope in scopes for name in scope.names
        }
        for scope in self._followed.keys() - scopes:
            self._stop(scope)
        self._news.set()
        self._tell()

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for scope, followed in self._followed.items():
                    if followed.task is None:
                        followed.task = group.create_task(followed.watch.run(), name=scope.collection.what)
                await self._news.wait()
                self._news.clear()

    async def _first_answers(self, watches: list[Watch], within: float | None) -> None:
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*(watch.list_once() for watch in watches))
        except TimeoutError:
            pass

    def _stop(self, scope: Scope) -> None:
        task = self._followed.pop(scope).task
        if task is not None:
            task.cancel()

    def _tell(self) -> None:
        self._changed(self.data())


def scopes_of(wanted: Iterable[SecretName], by_name: int = BY_NAME) -> set[Scope]:
    """How these Secrets are watched."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for secret in wanted:
        names[secret.namespace].add(secret.name)
    scopes = set()
    for namespace, those in names.items():
        groups = [{name} for name in those] if len(those) <= by_name else [those]
        scopes |= {Scope(namespace, frozenset(group), len(those) <= by_name) for group in groups}
    return scopes


def _told(followed: _Followed, name: str) -> Mapping[str, bytes] | NoSecret:
    found = followed.target.data.get(name)
    if found is not None:
        return found
    state = followed.watch.state
    if state.known:
        return ABSENT
    return NoSecret(f"is not known yet: {state.problem or 'the API server has not answered'}")


class SecretTarget:
    """What one watch has told: a `store_plugin.watching.watch.Target`."""

    def __init__(self, scope: Scope, changed: Callable[[], None]) -> None:
        self._scope = scope
        self._changed = changed
        self.data: dict[str, Mapping[str, bytes] | NoSecret] = {}

    async def listed(self, pages: AsyncIterator[list[Json]]) -> None:
        data: dict[str, Mapping[str, bytes] | NoSecret] = {}
        async for page in pages:
            data |= {name_of(found): _decoded(found) for found in page if self._is_wanted(found)}
        self.data = data
        self._changed()

    async def changed(self, events: list[Event]) -> None:
        ours = [event for event in events if self._is_wanted(event.object)]
        for event in ours:
            if event.gone:
                self.data.pop(name_of(event.object), None)
            else:
                self.data[name_of(event.object)] = _decoded(event.object)
        if ours:
            self._changed()

    def _is_wanted(self, found: Json) -> bool:
        return name_of(found) in self._scope.names


def _decoded(found: Json) -> Mapping[str, bytes] | NoSecret:
    try:
        return {key: b64decode(value, validate=True) for key, value in (found.get("data") or {}).items()}
    except (binascii.Error, TypeError, ValueError):
        return _UNREADABLE
