"""Plugins that dial in by themselves, in the audit record of a sidecar that has one (`--plugins-dir`).

Those that it runs are recorded by whoever runs them, before anything happens. Of the others it is
recorded what has happened: nobody can be kept waiting for a disk by strangers. Each record is a write
to the disk, so there is a most of them; the next one tells how many went without.
"""

import asyncio
import time
from collections.abc import Callable

from store_plugin.bucket import TokenBucket
from store_plugin.enrolment import PluginInstance
from store_plugin.errors import StorePluginError
from store_plugin.hub.events import EventKind, Listening, RegistryEvent
from store_plugin.lifecycle.audit import AuditLog, Value
from store_plugin.log import Logger

PER_SECOND, AT_ONCE = 1.0, 60
_EVENTS = {EventKind.CONNECTED: "connect", EventKind.GONE: "gone", EventKind.REFUSED: "refuse"}


class Recorder:
    """Own a task of `run()`. `happening`: what the registry tells."""

    def __init__(
        self,
        audit: AuditLog,
        happening: Listening,
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audit = audit
        self._happening = happening
        self._log = log
        self._clock = clock
        self._bucket = TokenBucket(PER_SECOND, AT_ONCE, clock())
        self._left_out = 0
        self._problem: str | None = None

    async def run(self) -> None:
        """Record until cancelled; failures go to the log."""
        with self._happening as events:
            async for event in events:
                if event.kind in _EVENTS and PluginInstance.from_uri(event.user) is None:
                    await self._take(event)

    async def _take(self, event: RegistryEvent) -> None:
        if not self._bucket.take(self._clock()):
            self._left_out += 1
            return
        fields = _fields(event)
        if self._left_out:
            fields["not_recorded"], self._left_out = self._left_out, 0
        try:
            await asyncio.to_thread(self._audit.record, _EVENTS[event.kind], event.name, fields)
            self._problem = None
        except StorePluginError as error:
            self._complain(error.message)

    def _complain(self, problem: str) -> None:
        """Once, until something works."""
        if problem != self._problem:
            self._problem = problem
            self._log.error("what plugins do is not recorded", problem=problem)


def _fields(event: RegistryEvent) -> dict[str, Value]:
    """What is known of it."""
    told = {"version": event.version, "instance": event.instance_id, "user": event.user, "why": event.why}
    return {name: value for name, value in told.items() if value}
