"""What is written to the audit record of who enrols and who is refused.

Whoever reaches a listener can be refused as often as it likes, and each record is a write to the
disk. So refusals are recorded up to a number a minute; the next one tells how many went without.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from store_plugin.errors import StorePluginError
from store_plugin.lifecycle.audit import AuditLog, Value
from store_plugin.log import Logger

MOST_REFUSALS = 60
"""Recorded per minute."""
_MINUTE = 60.0
_LONGEST_NAME = 63


class EnrolmentRecord:
    """Writes events of enrolment; belongs to one event loop."""

    def __init__(self, audit: AuditLog, log: Logger, *, steady: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._log = log
        self._steady = steady
        self._minute = steady()
        self._refusals = 0
        self._left_out = 0

    async def happened(self, event: str, plugin: str, fields: Mapping[str, Value]) -> None:
        """Write it down before it is done. StoreUnavailable."""
        await asyncio.to_thread(self._audit.record, event, plugin, fields)
        self._log.info(event, plugin=plugin, **fields)

    async def refused(self, event: str, plugin: str, why: str) -> None:
        """Write down that somebody was refused, who says to be `plugin`. StoreUnavailable."""
        plugin = plugin[:_LONGEST_NAME].encode("ascii", "replace").decode()
        if not self._counted():
            self._left_out += 1
            return
        fields: dict[str, Value] = {"why": why}
        left_out, self._left_out = self._left_out, 0
        if left_out:
            fields["not_recorded"] = left_out
        self._log.warning(event, plugin=plugin, **fields)
        try:
            await asyncio.to_thread(self._audit.record, event, plugin, fields)
        except StorePluginError:
            self._left_out += left_out + 1
            raise

    def _counted(self) -> bool:
        now = self._steady()
        if now - self._minute >= _MINUTE:
            self._minute, self._refusals = now, 0
        self._refusals += 1
        return self._refusals <= MOST_REFUSALS
