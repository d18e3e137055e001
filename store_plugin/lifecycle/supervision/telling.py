"""What a runner tells of its plugin: to the audit record, to the catalog, to the log."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from store_plugin.errors import StorePluginError
from store_plugin.lifecycle.audit import Value
from store_plugin.lifecycle.registration import Registration
from store_plugin.lifecycle.supervision.instance import Instance
from store_plugin.log import Logger


@dataclass(frozen=True, slots=True)
class Sayings:
    """Where what happens is told. Each raises StorePluginError."""

    record: Callable[[str, str, Mapping[str, Value]], Awaitable[None]]
    """Writes an event down; a start that cannot be written down does not happen."""
    rolled_back: Callable[[Registration, Registration], Awaitable[None]]
    """Has the catalog say what runs again, unless it asks for something else by now: told of the
    version that did not become ready, and of the one that goes on."""
    proved: Callable[[Registration], Awaitable[None]]
    """Has the catalog know that a version has been ready."""


class Telling:
    """Sayings of what has happened already: where they fail, it is logged, and nothing else changes."""

    def __init__(self, say: Sayings, log: Logger) -> None:
        self._say = say
        self._log = log

    async def begin(self, instance: Instance) -> None:
        """Before a start, which does not happen where this raises StorePluginError."""
        await self._say.record("start", instance.registration.name, _about(instance))

    async def of(self, event: str, instance: Instance, **fields: Value) -> None:
        """What happened to an instance."""
        await self.note(event, instance.registration.name, {**_about(instance), **fields})

    async def note(self, event: str, name: str, fields: Mapping[str, Value]) -> None:
        """What happened to a plugin."""
        try:
            await self._say.record(event, name, fields)
        except StorePluginError as error:
            self._log.error(
                "an event could not be recorded", plugin=name, happened=event, error=error.message
            )

    async def proved(self, registration: Registration) -> None:
        """A version has been ready; where the catalog cannot be told so, it may be told the next time."""
        try:
            await self._say.proved(registration)
        except StorePluginError as error:
            self._log.error("the catalog cannot be changed", plugin=registration.name, error=error.message)

    async def rolled_back(self, new: Registration, old: Registration, why: str) -> bool:
        """A version did not become ready, and the old one goes on; whether the catalog asks for that."""
        await self.note("roll-back", new.name, {"version": new.version, "back-to": old.version, "why": why})
        try:
            await self._say.rolled_back(new, old)
        except StorePluginError as error:
            self._log.error("the catalog still asks for what failed", plugin=new.name, error=error.message)
            return False
        return True


def _about(instance: Instance) -> dict[str, Value]:
    registration = instance.registration
    return {
        "version": registration.version,
        "digest": registration.digest,
        "instance": instance.instance_id,
    }
