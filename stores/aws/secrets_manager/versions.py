"""Compare-and-set in a service that has none: by the labels that it moves between versions.

A new version is put under a label of ours, then the label AWSCURRENT moves to it from the
version that it is based on: of two writers one wins. A version's id is the token of the
request that made it, so a request that is sent twice makes one version.
"""

from store_plugin.errors import StorePluginError
from store_plugin.store import Logger
from stores.aws.access.client import Answer
from stores.aws.errors import Refused, changed
from stores.aws.secrets_manager.calls import GONE, Calls
from stores.aws.secrets_manager.contents import CURRENT, PENDING


class Versions:
    """The versions of the secrets of one config."""

    def __init__(self, calls: Calls, log: Logger) -> None:
        self._calls = calls
        self._log = log

    async def replace(self, full: str, version: str, text: str, base: str | None) -> None:
        """Put a version and make it the current one, in place of `base`. Conflict where
        another was faster."""
        put = await self._calls.change(
            "PutSecretValue",
            full,
            SecretString=text,
            ClientRequestToken=version,
            VersionStages=[PENDING],
        )
        if base is not None:
            await self._promote(full, version, base)
        elif CURRENT not in put.get("VersionStages", ()):
            # The first version becomes the current one by itself: ours was not the first.
            await self.unlabel(full, version)
            raise changed(full)

    async def unlabel(self, full: str, version: str) -> None:
        """Leave no label of ours behind. What fails here, the next write makes good."""
        try:
            await self._move(full, PENDING, RemoveFromVersionId=version)
        except Refused:
            return  # another writer has moved the label on
        except StorePluginError as error:
            self._log.warning("aws_label_left_behind", error=error.message)

    async def _promote(self, full: str, version: str, base: str) -> None:
        try:
            await self._move(full, CURRENT, RemoveFromVersionId=base, MoveToVersionId=version)
        except Refused as refused:
            await self._settle(full, version, base, refused.error)

    async def _settle(self, full: str, version: str, base: str, error: StorePluginError) -> None:
        """Tell a lost race from a request that was carried out and sent again because its
        answer was lost."""
        about = await self._calls.about(full)
        if about and not about.deleted and about.current == version:
            return
        if about and not about.deleted and about.current == base:
            raise error
        if about and about.pending == version:
            await self.unlabel(full, version)
        raise changed(full)

    async def _move(self, full: str, stage: str, **versions: str) -> Answer:
        return await self._calls.call(
            "UpdateSecretVersionStage",
            full,
            "InvalidParameterException",
            *GONE,
            SecretId=full,
            VersionStage=stage,
            **versions,
        )
