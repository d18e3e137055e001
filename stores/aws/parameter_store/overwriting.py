"""Overwriting in a service that counts versions and has no conditional overwrite.

A write looks at the version that it made: where that is not the one after its base, it went
over versions that it had not read. It then puts all of them together and writes that, and
has lost the race (docs/stores/aws.md, "Parameter Store"). Every process does so, and nobody
takes anything away that another has written: so what one was told to be stored stays stored.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from store_plugin.errors import DeadlineExceeded, StoreUnavailable, Throttled
from store_plugin.store import Logger
from stores.aws.errors import changed
from stores.aws.parameter_store.calls import Calls
from stores.aws.parameter_store.merging import merged, same

_REPAIRS = 50
_PAUSE = 0.005
_VERSIONS_KEPT = 100
_TIMES = 8
"""Tries against a service that fails, in 6 to 13 seconds and the time that they take."""
_LOOKS = 3
_FIRST_WAIT = 0.05

ResultT = TypeVar("ResultT")


class Overwriter:
    """Writes over the parameters of one config."""

    def __init__(
        self, calls: Calls, log: Logger, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._calls = calls
        self._log = log
        self._sleep = sleep

    async def overwrite(self, full: str, text: str, kind: str | None, base: int, before: str | None) -> int:
        """The version that `text` became, where `before` was the text of the version `base`.
        Conflict where it went over versions of others."""
        version, successor = await self._replace(full, text, kind, base), base + 1
        if version == successor:
            return version
        if version == 1:
            await self._take_back(full)
        elif version < successor:
            # Removed and made anew meanwhile: what we had read is of no account any more.
            await self._repair(full, None, [], range(1, version), version, kind)
        elif not await self._repair(full, before, [text], range(successor, version), version, kind):
            return version
        raise changed(full)

    async def _repair(
        self, full: str, before: str | None, ours: list[str], skipped: range, ours_at: int, kind: str | None
    ) -> bool:
        """Write again what others made of `before` in the versions that we went over, with
        ours, until the latest version holds all of it. False where there was nothing of
        others: a request that was sent twice."""
        own, head = {ours_at}, ours_at
        for attempt in range(_REPAIRS):
            unread = [number for number in range(skipped.start, head + 1) if number not in own]
            texts = await self._patiently(full, partial(self._calls.texts, full, unread))
            theirs = list(texts.values())
            if ours and attempt == 0 and all(their == ours[0] for their in theirs):
                return False
            wanted = escaped(merged(before, [*ours, *theirs], full))
            latest = await self._patiently(full, partial(self._calls.parameter, full))
            if latest is None or (latest.version == head and same(latest.text, wanted, full)):
                return True
            if latest.version == head:
                version = await self._patiently(full, partial(self._replace, full, wanted, kind, head))
                own.add(version)
                if version == head + 1:
                    return True
                head = version
            else:
                head = latest.version
            await self._sleep(random.uniform(0, _PAUSE * (attempt + 1)))
        self._log.warning("aws_versions_not_put_together", parameter=full)
        return True

    async def _replace(self, full: str, text: str, kind: str | None, base: int) -> int:
        """The version made. A request that failed may have been carried out, and have gone
        over versions of others: so look before giving up."""
        try:
            return await self._calls.replace(full, text, kind)
        except (StoreUnavailable, DeadlineExceeded) as error:
            version = await self._patiently(full, partial(self._found, full, text, base), _LOOKS)
            if version is None:
                raise error from None
            return version

    async def _found(self, full: str, text: str, base: int) -> int | None:
        """The latest of the versions after `base` that is `text`."""
        latest = await self._calls.parameter(full)
        if latest is None or latest.version <= base:
            return None
        since = range(max(base + 1, latest.version - _VERSIONS_KEPT), latest.version + 1)
        texts = await self._calls.texts(full, since)
        return max((version for version, found in texts.items() if found == text), default=None)

    async def _patiently(
        self, full: str, work: Callable[[], Awaitable[ResultT]], times: int = _TIMES
    ) -> ResultT:
        """What the work returns, tried again while the service fails: to stop here would leave
        what others were told to be stored in a version that nobody reads."""
        for number in range(1, times):
            try:
                return await work()
            except (StoreUnavailable, DeadlineExceeded, Throttled):
                await self._sleep(random.uniform(0.5, 1.0) * _FIRST_WAIT * 2**number)
        try:
            return await work()
        except (StoreUnavailable, DeadlineExceeded, Throttled):
            self._log.warning("aws_write_left_unsettled", parameter=full)
            raise

    async def _take_back(self, full: str) -> None:
        """Remove a parameter that our overwrite made, as another had removed it, unless
        somebody has used it since."""
        found = await self._calls.parameter(full)
        if found is not None and found.version == 1:
            await self._calls.remove(full)


def escaped(text: str) -> str:
    """The same document without `{{`, which the service takes for a reference. In JSON it
    occurs inside strings only, where one brace may be spelled as an escape."""
    return text.replace("{{", "{\\u007b")
