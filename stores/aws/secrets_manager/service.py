"""The secrets of one region as the `Service` that the store stands on."""

from collections.abc import AsyncIterator

from store_plugin.errors import StoreDenied
from store_plugin.model import ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Limits, Logger
from stores.aws import tags as aws_tags
from stores.aws.access.clients import SharedClient
from stores.aws.errors import Refused, changed
from stores.aws.names import Names
from stores.aws.secrets_manager import replicas
from stores.aws.secrets_manager.calls import GONE, Calls
from stores.aws.secrets_manager.contents import Held
from stores.aws.secrets_manager.reading import Reader
from stores.aws.secrets_manager.versions import Versions
from stores.aws.secrets_manager.writing import MOST_BYTES, Writer
from stores.aws.spec import SecretsManagerOptions

_MOST_KEYS = 5_000
_LONGEST_NAME = 512
_PAGE = 100
_REPLICAS_LOOKED_AT = 10


def problem(full: str) -> str | None:
    """Why the service would refuse a name that is a scoped name."""
    if len(full) > _LONGEST_NAME:
        return f"with its prefix it has {len(full)} characters; Secrets Manager takes {_LONGEST_NAME}"
    return None


class SecretsManager:
    """The secrets of one region below a prefix."""

    def __init__(
        self, client: SharedClient, prefix: str, options: SecretsManagerOptions, config: str, log: Logger
    ) -> None:
        self._calls = Calls(client, config)
        self._reader = Reader(self._calls, options.tags)
        self._writer = Writer(self._calls, Versions(self._calls, log), options)
        self._names = Names(f"{prefix}/" if prefix else "", problem)
        self._options = options
        self.capabilities = Capabilities(
            compare_and_set=True,
            conditional_delete=False,
            versions=True,
            tombstones=True,
            listing=True,
            limits=Limits(
                data_bytes=MOST_BYTES - 36,
                keys=_MOST_KEYS,
                metadata_entries=aws_tags.MOST_TAGS - len(options.tags),
                metadata_key_bytes=aws_tags.LONGEST_KEY,
                metadata_value_bytes=aws_tags.LONGEST_VALUE,
            ),
        )

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        full = self._names.full(name)
        if version is None:
            return await self._reader.latest(name, full)
        return await self._reader.version(name, full, version)

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version | None:
        return await self._writer.write(name, self._names.full(name), secret, base)

    # Removing.

    async def delete(self, name: ScopedName, base: StoredSecret) -> None:
        full, held = self._names.full(name), base.raw if isinstance(base.raw, Held) else Held()
        if held.about.replicas:
            regions = sorted(held.about.replicas)
            await self._calls.change("RemoveRegionsFromReplication", full, RemoveReplicaRegions=regions)
        window: dict[str, object] = {"RecoveryWindowInDays": self._options.recovery_window_days}
        how = {"ForceDeleteWithoutRecovery": True} if self._options.force_delete else window
        expect = (*GONE, "InvalidParameterException")
        try:
            await self._calls.call("DeleteSecret", full, *expect, SecretId=full, **how)
        except Refused as refused:
            await self._settle_removal(full, refused)

    async def _settle_removal(self, full: str, refused: Refused) -> None:
        about = await self._calls.about(full)
        if about is None or about.deleted:
            return
        # Replicas go in their own time, and the secret not before them.
        raise changed(full) if about.replicas else refused.error

    # Listing and checking.

    async def names(self, scope: str) -> AsyncIterator[ScopedName]:
        """The filter of the service is wider than a scope: names are compared here."""
        folder = self._names.folder(scope)
        filters = {"Filters": [{"Key": "name", "Values": [folder]}]} if folder else {}
        token: dict[str, object] = {}
        while True:
            answer = await self._calls.call("ListSecrets", folder, MaxResults=_PAGE, **filters, **token)
            for found in answer.get("SecretList", ()):
                for name in self._names.parsed(found["Name"], scope) if not found.get("DeletedDate") else ():
                    yield name
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    async def check(self) -> list[str]:
        """What should be known of the replicas."""
        return await self._replica_problems() if self._options.replica_regions else []

    async def aclose(self) -> None:
        """Nothing is under way that must come to its end."""

    async def _replica_problems(self) -> list[str]:
        found: list[str] = []
        looked_at = 0
        try:
            async for name in self.names(""):
                about = await self._calls.about(self._names.full(name))
                if about and not about.deleted:
                    found += replicas.amiss(name, self._options.replica_regions, about.replicas, about.said)
                looked_at += 1
                if looked_at == _REPLICAS_LOOKED_AT:
                    break
        except StoreDenied:
            return ["the replicas cannot be checked: allow secretsmanager:ListSecrets on *"]
        return found
