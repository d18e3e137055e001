"""Connection details in Secrets of Kubernetes: the rules of a sidecar's engine, on a
store that is the API server itself.

Additive merge, one owner, compare-and-set by resourceVersion, partial delete. What others
put into a Secret (keys, labels, finalizers) survives: a change names only what it changes.
"""

import random
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from store_plugin.errors import Conflict, InvalidRequest, NotOwner
from store_plugin.model import OWNER_LABEL, ScopedName, Secret, check_keys
from store_plugin.running import settled
from store_plugin.runtime._failures import not_owned_by
from store_plugin.runtime.owners import Owner, PublishTo

SECRET_TYPE = "connection.crossplane.io/v1alpha1"  # noqa: S105
"""Type of a connection Secret whose owner asks for no other."""
BUDGET = 30.0
"""Seconds that lost races are tried again for."""
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5

Pause = Callable[[float], Awaitable[None] | None]
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class ConnectionSecret:
    """A Secret as the API server holds it. `owner`: the UID in its label; else the object
    that controls it, as secrets of `writeConnectionSecretToRef` have it."""

    data: Mapping[str, bytes] = field(repr=False)
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    type: str
    owner: str | None = None
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What to change in a Secret: None stands for a key to remove."""

    data: Mapping[str, bytes | None] = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.data or self.labels or self.annotations)


class Secrets(Protocol):
    """The Secrets of an API server. Conflict where a Secret is not as `resource_version`
    says, or is there (create) or gone (change) against expectation."""

    async def read(self, namespace: str, name: str) -> ConnectionSecret | None: ...
    async def create(self, namespace: str, name: str, secret: ConnectionSecret) -> None: ...
    async def change(self, namespace: str, name: str, change: Change, resource_version: str) -> None: ...
    async def delete(self, namespace: str, name: str, resource_version: str) -> None: ...


class ConnectionSecretStore:
    """Secrets as a store. `pause` waits so many seconds, or returns what is to be awaited."""

    def __init__(self, secrets: Secrets, pause: Pause) -> None:
        self._secrets = secrets
        self._pause = pause

    async def read(self, name: ScopedName) -> Secret:
        found = await self._secrets.read(*_place(name))
        if found is None:
            return Secret()
        owner = {OWNER_LABEL: found.owner} if found.owner else {}
        return Secret(found.data, {**found.labels, **owner})

    async def write(
        self, name: ScopedName, data: Mapping[str, bytes], *, owner: Owner, publish_to: PublishTo
    ) -> bool:
        wanted = _wanted(data, owner, publish_to)
        namespace, base = _place(name)

        async def write_once() -> bool:
            found = await self._secrets.read(namespace, base)
            if found is None:
                await self._secrets.create(namespace, base, wanted)
                return True
            _check_owner(found, owner, name)
            _check_type(found, publish_to, name)
            change = _difference(found, wanted)
            if change:
                await self._secrets.change(namespace, base, change, found.resource_version)
            return bool(change)

        return await self._until_won(write_once)

    async def remove(self, name: ScopedName, keys: Collection[str], *, owner: Owner) -> None:
        namespace, base = _place(name)

        async def remove_once() -> None:
            found = await self._secrets.read(namespace, base)
            if found is None:
                return
            _check_owner(found, owner, name)
            gone = found.data.keys() & set(keys)
            if not keys or gone == found.data.keys():
                await self._secrets.delete(namespace, base, found.resource_version)
            elif gone:
                change = Change(dict.fromkeys(gone))
                await self._secrets.change(namespace, base, change, found.resource_version)

        await self._until_won(remove_once)

    async def _until_won(self, attempt: Callable[[], Coroutine[object, None, ResultT]]) -> ResultT:
        """Try again after each lost race, for as long as the budget lasts: then Conflict."""
        give_up = time.monotonic() + BUDGET
        longest = _FIRST_PAUSE
        while True:
            try:
                return await attempt()
            except Conflict:
                if time.monotonic() + longest > give_up:
                    raise
            await settled(self._pause(random.uniform(0, longest)))
            longest = min(2 * longest, _LONGEST_PAUSE)


def _place(name: ScopedName) -> tuple[str, str]:
    if len(name.segments) != 2:
        raise InvalidRequest(f"{name} is no Secret: in Kubernetes a name is NAMESPACE/NAME")
    return name.segments[0], name.segments[1]


def _wanted(data: Mapping[str, bytes], owner: Owner, publish_to: PublishTo) -> ConnectionSecret:
    check_keys(data)
    metadata = publish_to.metadata
    labels = {**metadata.labels, OWNER_LABEL: owner.uid}
    return ConnectionSecret(data, labels, metadata.annotations, metadata.type or SECRET_TYPE)


def _check_owner(found: ConnectionSecret, owner: Owner, name: ScopedName) -> None:
    if found.owner != owner.uid:
        raise NotOwner(f"{not_owned_by(owner.uid)}: Secret {name}")


def _check_type(found: ConnectionSecret, publish_to: PublishTo, name: ScopedName) -> None:
    wanted = publish_to.metadata.type
    if wanted and wanted != found.type:
        raise InvalidRequest(
            f"Secret {name} is of type {found.type}, which cannot become {wanted}: delete it"
        )


def _difference(found: ConnectionSecret, wanted: ConnectionSecret) -> Change:
    return Change(
        _new(found.data, wanted.data),
        _new(found.labels, wanted.labels),
        _new(found.annotations, wanted.annotations),
    )


ValueT = TypeVar("ValueT")


def _new(found: Mapping[str, ValueT], wanted: Mapping[str, ValueT]) -> dict[str, ValueT]:
    return {key: value for key, value in wanted.items() if found.get(key) != value}
