"""The ClusterProfile that a store follows: looked up with its first use, and again now and then.

A cluster may move, or be reached another way, so the profile is not believed for ever. Where it
cannot be looked up for a while, what it said last goes on.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Self

from store_plugin.errors import ConfigInvalid, StorePluginError, StoreUnavailable, Throttled
from store_plugin.store import Environment, Fleet, MemberCluster
from stores.kubernetes.spec import ClusterProfileReference, KubernetesSpec

LOOK_SECONDS = 30.0
"""For how long a profile is believed."""
PATIENCE_SECONDS = 3.0
"""Longest that a lookup may take where there is an older answer."""


class FollowedProfile:
    """One profile. Belongs to one event loop."""

    def __init__(
        self, reference: ClusterProfileReference, fleet: Fleet, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reference = reference
        self._fleet = fleet
        self._clock = clock
        self._looking = asyncio.Lock()
        self._known: MemberCluster | None = None
        self._look_at = 0.0

    @classmethod
    def of(cls, spec: KubernetesSpec, environment: Environment) -> Self | None:
        """The one that a spec names. ConfigInvalid where nobody said how to log in to members."""
        if spec.cluster_profile_ref is None:
            return None
        if environment.fleet is None:
            raise ConfigInvalid(
                "clusterProfileRef needs an access config, which says how members of the fleet are "
                "logged in to: --access-config FILE"
            )
        return cls(spec.cluster_profile_ref, environment.fleet)

    async def cluster(self) -> MemberCluster:
        """The cluster. As `Fleet.member`, except that what is known outlasts a lookup that fails
        because something is away, or slow: one caller waits for it, and not for long."""
        known = self._known
        if known is not None and self._clock() < self._look_at:
            return known
        async with self._looking:
            if self._known is None or self._clock() >= self._look_at:
                self._known = await self._looked_up()
            return self._known

    async def _looked_up(self) -> MemberCluster:
        # Beforehand: it counts too where a caller gives up, so that the next one is not held up.
        due, self._look_at = self._look_at, self._clock() + LOOK_SECONDS
        patience = None if self._known is None else PATIENCE_SECONDS
        try:
            async with asyncio.timeout(patience):
                return await self._fleet.member(self._reference.namespace, self._reference.name)
        except (StoreUnavailable, Throttled, TimeoutError):
            if self._known is None:
                raise
            return self._known
        except StorePluginError:
            self._look_at = due
            raise

    def __str__(self) -> str:
        return f"ClusterProfile {self._reference}"
