"""The ClusterProfiles of a fleet as they come, change and go, for controllers without an informer.

What follows them is the watch of store configs: it goes on where it stopped when the API server
was away, and lists anew what that has forgotten.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from store_plugin.access.fleet import collection
from store_plugin.access.profiles import VERSIONS, ClusterProfile
from store_plugin.cluster_api import ApiClient, ClusterApi, Json
from store_plugin.log import StandardLogger
from store_plugin.watching.following import LISTED_WITHIN, Following
from store_plugin.watching.requests import Event


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """A profile as it is now or, where it is `gone`, as it was last."""

    profile: ClusterProfile
    gone: bool = False


class WatchedProfiles:
    """The changes of all profiles, or of those of a namespace; of one event loop.

        async with WatchedProfiles(hub) as changes:
            async for change in changes:
                ...

    First comes what there is. Only what counts for reaching a cluster is a change, so a cluster
    manager that renews conditions wakes nobody. Changes of a profile that nobody has taken yet
    are told as one, the last: whoever is slow holds up nothing, and falls behind by no more than
    one change for each profile.

    `client` is an ApiClient of `kubernetes.aio`. Entering raises StoreUnavailable where no
    listing succeeds within `listed_within` seconds, and at once what a server answers that
    refuses it: LoginRefused, StoreDenied, ConfigInvalid.
    """

    def __init__(
        self, client: ApiClient, namespace: str = "", *, listed_within: float = LISTED_WITHIN
    ) -> None:
        self._listed_within = listed_within
        self._changes = _Changes()
        self._following = Following(
            ClusterApi(client),
            [collection(version, namespace) for version in VERSIONS],
            self._changes,
            StandardLogger(__name__),
            ended=self._changes.some.set,
        )

    async def __aenter__(self) -> Self:
        await self._following.start(self._listed_within)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._following.stop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ProfileChange:
        """The next change; none after the watch was left."""
        while True:
            if not self._following.started:
                raise StopAsyncIteration
            self._following.check()
            if (change := self._changes.taken()) is not None:
                return change
            await self._changes.some.wait()


class _Changes:
    """What the watch has told and nobody has taken: a `store_plugin.watching.watch.Target`."""

    def __init__(self) -> None:
        self.some = asyncio.Event()
        self._now: dict[str, ClusterProfile] = {}
        self._waiting: dict[str, ProfileChange] = {}

    def taken(self) -> ProfileChange | None:
        """The one that waits longest, which then waits no more; None where there is none."""
        name = next(iter(self._waiting), None)
        if name is None:
            self.some.clear()
            return None
        return self._waiting.pop(name)

    async def listed(self, pages: AsyncIterator[list[Json]]) -> None:
        found = [ClusterProfile.from_object(item) async for page in pages for item in page]
        for name in self._now.keys() - {str(profile) for profile in found}:
            self._lose(name)
        for profile in found:
            self._find(profile)

    async def changed(self, events: list[Event]) -> None:
        for event in events:
            profile = ClusterProfile.from_object(event.object)
            if event.gone:
                self._lose(str(profile))
            else:
                self._find(profile)

    def _find(self, profile: ClusterProfile) -> None:
        name = str(profile)
        if self._now.get(name) != profile:
            self._now[name] = profile
            self._tell(name, ProfileChange(profile))

    def _lose(self, name: str) -> None:
        was = self._now.pop(name, None)
        if was is not None:
            self._tell(name, ProfileChange(was, gone=True))

    def _tell(self, name: str, change: ProfileChange) -> None:
        self._waiting[name] = change
        self.some.set()
