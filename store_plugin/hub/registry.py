"""The plugins connected now, by name.

An entry is one instance of a plugin, with a generation of its own: what ends late removes
itself and never its successor. Limits are checked and taken in one step, without a wait
between. Nothing here awaits anything but `wait_for`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Protocol

from store_plugin.errors import AlreadyConnected, Overloaded, PluginRefused
from store_plugin.hub.calling.pending import Reply
from store_plugin.hub.events import EventKind, Events, RegistryEvent
from store_plugin.hub.peer import Peer
from store_plugin.stream.frames import Metadata


class OnDuplicate(StrEnum):
    """What happens when a name comes again that cannot be told from the one that is there:
    the same instance, or one that does not name itself. One that is known to be the same, or was
    asked to come again, takes over with either."""

    REPLACE = "replace"
    """The newer one takes new calls, the older one drains."""
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that may be connected at a time."""

    plugins: int = 1000
    """Instances in all."""
    per_identity: int = 100
    """Instances of one user, where the listener knows users."""


class Instance(Protocol):
    """What is registered: a session, or a provider in this process."""

    @property
    def peer(self) -> Peer: ...

    @property
    def in_flight(self) -> int: ...

    @property
    def draining(self) -> bool: ...

    @property
    def asked_to_come_again(self) -> bool:
        """Whether it was asked to open another stream in the place of this one."""
        ...

    def silent_for(self) -> float:
        """Seconds since it last gave a sign of life."""
        ...

    async def call(self, method: str, payload: bytes, *, timeout: float, metadata: Metadata) -> Reply:
        """CallFailed; `timeout` is in seconds."""
        ...

    def stream(
        self, method: str, payload: bytes, *, timeout: float, metadata: Metadata
    ) -> AsyncGenerator[Reply, None]:
        """Each response, then a last reply without one. CallFailed."""
        ...


@dataclass(eq=False, slots=True)
class Entry:
    """One instance in the registry."""

    instance: Instance
    generation: int
    drain: Callable[[], None]
    """Ask the owner of the instance to let it finish and end."""
    held: bool = False
    """Whether it is not to be called yet, but by whoever holds it."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the instance has ended."""

    @property
    def peer(self) -> Peer:
        return self.instance.peer


class Registry:
    """Belongs to one event loop."""

    def __init__(self, limits: Limits | None = None, on_duplicate: OnDuplicate = OnDuplicate.REPLACE) -> None:
        self.events = Events()
        self._limits = limits or Limits()
        self._on_duplicate = on_duplicate
        self._entries: dict[str, list[Entry]] = {}
        self._generations = count(1)
        self._number = 0
        self._changed = asyncio.Event()

    def add(self, instance: Instance, drain: Callable[[], None], *, hold: bool = False) -> Entry:
        """Register an instance; `hold`: `pick` does not find it before `release`.
        AlreadyConnected, Overloaded; PluginRefused for the name of a provider of this process."""
        peer = instance.peer
        there = self._entries.get(peer.name, ())
        if not peer.local and any(entry.peer.local for entry in there):
            raise PluginRefused(f"the name {peer.name} is that of a provider in the hub's own process")
        twins = [entry for entry in there if _twins(entry.peer, peer)]
        self._check(peer, twins)
        entry = Entry(instance, next(self._generations), drain, hold)
        self._entries.setdefault(peer.name, []).append(entry)
        self._number += 1
        self._tell(EventKind.CONNECTED, peer)
        for twin in twins:
            self.drain(twin)
        if not hold:
            self.release(entry)
        return entry

    def release(self, entry: Entry) -> None:
        """Let everybody call the instance."""
        entry.held = False
        self._tell(EventKind.READY, entry.peer)
        self._changed.set()

    def instance(self, name: str, instance_id: str) -> Entry | None:
        """One instance of a plugin, held or not."""
        found = (entry for entry in self._entries.get(name, ()) if entry.peer.instance_id == instance_id)
        return next(found, None)

    def drain(self, entry: Entry) -> None:
        """Give the instance no more calls, and let it finish. Once."""
        entries = self._entries.get(entry.peer.name, [])
        if entry in entries:
            self._tell(EventKind.DRAINING, entry.peer)
            self._remove(entry)
            entry.drain()

    def remove(self, entry: Entry, why: str) -> None:
        """The instance has ended; entries of the same name stay."""
        drained = not self._remove(entry)
        entry.gone.set()
        self._tell(EventKind.GONE, entry.peer, why, drained=drained)

    def pick(self, name: str, *, private: bool = False) -> Entry | None:
        """The instance of a plugin that has the fewest calls under way; `private`: of those whose
        streams nobody else can read, where there are any."""
        entries = self._entries.get(name, ())
        ready = [entry for entry in entries if not entry.held and not entry.instance.draining]
        if private:
            ready = [entry for entry in ready if entry.peer.private] or ready
        return min(ready, key=lambda entry: entry.instance.in_flight, default=None)

    async def wait_for(self, name: str) -> Entry:
        """As `pick`, as soon as there is one; the caller bounds the wait."""
        while (entry := self.pick(name)) is None:
            self._changed.clear()
            await self._changed.wait()
        return entry

    def entries(self) -> list[Entry]:
        """All that are not draining, ordered by name."""
        return [entry for name in sorted(self._entries) for entry in self._entries[name]]

    def named(self, name: str) -> list[Entry]:
        """The instances of one plugin that are not draining."""
        return list(self._entries.get(name, ()))

    def refuse(self, peer_name: str, user: str, why: str) -> None:
        """Tell of a plugin that was turned away before it got here."""
        self.events.tell(RegistryEvent(EventKind.REFUSED, peer_name, user=user, why=why))

    def __len__(self) -> int:
        return self._number

    def _check(self, peer: Peer, twins: list[Entry]) -> None:
        strange = any(not _expected(entry.instance, peer) for entry in twins)
        if strange and self._on_duplicate is OnDuplicate.REJECT:
            raise AlreadyConnected(f"a plugin named {peer.name} is connected already")
        if self._number - len(twins) >= self._limits.plugins:
            raise Overloaded(f"{self._limits.plugins} plugins are connected, the limit", retry_after=10.0)
        if peer.identity.user and self._of_user(peer.identity.user, twins) >= self._limits.per_identity:
            raise Overloaded(
                f"{self._limits.per_identity} plugins of {peer.identity.user} are connected, the limit",
                retry_after=10.0,
            )

    def _of_user(self, user: str, besides: list[Entry]) -> int:
        return sum(
            entry.peer.identity.user == user and entry not in besides
            for entries in self._entries.values()
            for entry in entries
        )

    def _remove(self, entry: Entry) -> bool:
        """Whether it was there."""
        entries = self._entries.get(entry.peer.name, [])
        if entry not in entries:
            return False
        entries.remove(entry)
        self._number -= 1
        if not entries:
            del self._entries[entry.peer.name]
        return True

    def _tell(self, kind: EventKind, peer: Peer, why: str = "", *, drained: bool = False) -> None:
        user = peer.identity.user
        self.events.tell(RegistryEvent(kind, peer.name, peer.instance_id, peer.version, user, why, drained))


def _twins(one: Peer, other: Peer) -> bool:
    """Whether one may be the other come again, or takes its place: instances that name themselves
    differently are two, and share the calls; with a provider of the hub's own process nobody does."""
    if one.local or other.local:
        return True
    if one.announced_instance and other.announced_instance:
        return one.instance_id == other.instance_id
    return True


def _expected(there: Instance, peer: Peer) -> bool:
    """Whether it can only be the one that is there: it proved to be that instance, or names
    itself as one that was asked to come again. A provider of the hub's own process takes its name
    from any plugin."""
    if peer.local and not there.peer.local:
        return True
    if there.peer.identity.user != peer.identity.user:
        return False
    announced = there.peer.announced_instance and peer.announced_instance
    same = announced and there.peer.instance_id == peer.instance_id
    return (there.asked_to_come_again and same) or bool(peer.identity.instance)
