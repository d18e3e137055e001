"""Which of several replicas writes: the one that holds a Lease.

Clocks of other machines are not believed: a holder is gone once its Lease did not change for
as long as it lasts, by our own clock.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from store_plugin.cluster_api import ClusterApi
from store_plugin.errors import Conflict, StorePluginError
from store_plugin.store import Logger

LEASE = "store-plugin-status"
_ALL = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
_ONE = _ALL + "/{name}"
_RELEASE_SECONDS = 2.0


class Election:
    """`leading` tells whether we are the one. Own a task of `run()`.

    `duration`: seconds after which a holder that is silent is gone; it renews every `interval`
    seconds, and gives up by itself before others may take over.
    """

    def __init__(
        self,
        api: ClusterApi,
        namespace: str,
        identity: str,
        log: Logger,
        *,
        duration: float = 15.0,
        interval: float = 3.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._api = api
        self._names = {"namespace": namespace, "name": LEASE}
        self._identity = identity
        self._log = log
        self._duration = duration
        self._interval = interval
        self._clock = clock
        self._renewed: float | None = None
        self._seen: tuple[str, float] = ("", 0.0)
        self._problem: str | None = None

    @property
    def leading(self) -> bool:
        """Whether we may write now: we hold the Lease, and nobody can have taken it."""
        return self._renewed is not None and self._clock() < self._renewed + self._duration * 2 / 3

    async def run(self) -> None:
        """Try for the Lease and keep it, until cancelled; then let it go."""
        try:
            while True:
                await self._attempt()
                await asyncio.sleep(self._interval)
        finally:
            await self._release()

    async def _attempt(self) -> None:
        before, begun = self.leading, self._clock()
        try:
            held = await self._take()
            self._problem = None
        except Conflict:
            held = False
        except StorePluginError as error:
            if self._problem != error.message:
                self._problem = error.message
                self._log.warning("no Lease", problem=error.message)
            return  # what we hold is ours until it ends
        self._renewed = begun if held else None
        if self.leading is not before:
            self._log.info("writing of status", begins=self.leading)

    async def _take(self) -> bool:
        """Whether we hold the Lease now."""
        found = await self._api.find(_ONE, **self._names)
        if found is None:
            body = {"metadata": {"name": LEASE}, "spec": self._spec({})}
            await self._api.send("POST", _ALL, body, namespace=self._names["namespace"])
            return True
        spec, version = found.get("spec") or {}, str(found["metadata"]["resourceVersion"])
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self._identity) and not self._is_silent(version):
            return False
        await self._put(found, self._spec(spec))
        return True

    def _is_silent(self, version: str) -> bool:
        """Whether the Lease was the same for all its duration."""
        if self._seen[0] != version:
            self._seen = (version, self._clock())
        return self._clock() >= self._seen[1] + self._duration

    async def _put(self, found: Any, spec: dict[str, Any]) -> None:
        metadata = {"name": LEASE, "resourceVersion": found["metadata"]["resourceVersion"]}
        if await self._api.send("PUT", _ONE, {"metadata": metadata, "spec": spec}, **self._names) is None:
            raise Conflict("the Lease is gone")

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        ours = before.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._duration)),
            "renewTime": now,
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (not ours and bool(before)),
        }

    async def _release(self) -> None:
        """So that another one need not wait; never raises, never takes long."""
        if not self.leading:
            return
        self._renewed = None
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                found = await self._api.find(_ONE, **self._names)
                spec = (found or {}).get("spec") or {}
                if found is not None and spec.get("holderIdentity") == self._identity:
                    await self._put(found, {**spec, "holderIdentity": ""})
        except (TimeoutError, StorePluginError):
            pass
