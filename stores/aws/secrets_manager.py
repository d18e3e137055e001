"""Secrets Manager: compare-and-set by version stages, metadata as tags, deletion that can be
taken back.

A new version is put under a stage label of ours, then the label AWSCURRENT moves to it from
the version that it is based on: of two writers one wins (docs/stores/aws.md, "Secrets
Manager"). A create is one call, tags included.
"""

import re
from collections.abc import AsyncIterator, Mapping

from store_plugin.errors import Conflict, StoreDenied, StorePluginError, VersionNotFound
from store_plugin.model import Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Limits, Logger
from stores.aws import tags as aws_tags
from stores.aws import version_ids
from stores.aws.clients import Answer, SharedClient
from stores.aws.errors import Refused
from stores.aws.names import CHECK, Names
from stores.aws.pairs import both
from stores.aws.secret_reading import (
    CURRENT,
    PENDING,
    About,
    Held,
    NoValue,
    Value,
    about_from,
    put_together,
    value_from,
    version_of,
)
from stores.aws.service import checked, encoded
from stores.aws.spec import SecretsManagerOptions

MOST_BYTES = 65_536
"""Of the document."""
_MOST_KEYS = 5_000
_LONGEST_NAME = 512
_PAGE = 100
_LOOKS = 8
_REPLICAS_LOOKED_AT = 10
_VERSION_ID = re.compile(r"[^\s/]{32,64}\Z")
_NOT_FOUND = "ResourceNotFoundException"
_WRONG_STATE = "InvalidRequestException"
_GONE = (_NOT_FOUND, _WRONG_STATE)


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
        self._client = client
        self._names = Names(f"{prefix}/" if prefix else "", problem)
        self._options = options
        self._config = config
        self._log = log
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

    # Reading.

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        full = self._names.full(name)
        if version is not None:
            return await self._read_version(name, full, version)
        value: Value | NoValue
        for _ in range(_LOOKS):
            value, about = await both(self._value(full, {"VersionStage": CURRENT}), self._about(full))
            stored = put_together(value, about, str(name), self._options.tags)
            if stored is not None:
                return stored
        if isinstance(value, NoValue) and value.refused:
            raise value.error
        raise Conflict(f"secret {name} kept changing while it was read; try again", retry_after=1.0)

    async def _read_version(self, name: ScopedName, full: str, version: Version) -> StoredSecret:
        unknown = VersionNotFound(f"secret {name} has no version {version[:64]!r}")
        if not _VERSION_ID.match(version):
            raise unknown
        value, about = await both(self._value(full, {"VersionId": version}), self._about(full))
        if isinstance(value, NoValue) or about is None or about.deleted:
            raise unknown
        return version_of(value, about, str(name), self._options.tags)

    async def _value(self, full: str, which: Mapping[str, str]) -> Value | NoValue:
        try:
            answer = await self._call("GetSecretValue", full, *_GONE, SecretId=full, **which)
        except Refused as refused:
            return NoValue(refused.code, refused.error, refused=refused.code == _WRONG_STATE)
        return value_from(answer, full)

    async def _about(self, full: str) -> About | None:
        try:
            return about_from(await self._call("DescribeSecret", full, _NOT_FOUND, SecretId=full))
        except Refused:
            return None

    # Writing.

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version | None:
        aws_tags.check_metadata(str(name), secret.metadata, self._options.tags)
        full, held = self._names.full(name), base.raw if isinstance(base.raw, Held) else Held()
        wanted = {**secret.metadata, **self._options.tags}
        text = checked(name, encoded(name, secret, held.text), MOST_BYTES)
        if base.presence is Presence.ABSENT:
            return await self._create(full, text, wanted)
        if base.present and base.version and base.secret.data == secret.data:
            await self._finish(full, held.about, wanted)
            return base.version
        if held.about.deleted:
            await self._restore(full)
        version = version_ids.fresh() if base.present else _anew(held.about, wanted)
        await self._replace(full, version, text, base.version)
        await self._finish(full, held.about, wanted)
        await self._unlabel(full, version)
        return Version(version)

    async def _create(self, full: str, text: str, wanted: Mapping[str, str]) -> Version:
        """The whole secret in one call: nothing of it can be missing afterwards."""
        version = version_ids.fresh()
        optional = {
            "KmsKeyId": self._options.kms_key_id,
            "Tags": aws_tags.to_request(wanted),
            "AddReplicaRegions": self._replicas(()),
        }
        try:
            await self._call(
                "CreateSecret",
                full,
                "ResourceExistsException",
                _WRONG_STATE,  # one of that name has just been scheduled for deletion
                Name=full,
                SecretString=text,
                ClientRequestToken=version,
                **_given(optional),
            )
        except Refused:
            raise _changed(full) from None
        return Version(version)

    async def _restore(self, full: str) -> None:
        """Undo the deletion; it may be that another writer has done so already."""
        try:
            await self._call("RestoreSecret", full, *_GONE, SecretId=full)
        except Refused:
            about = await self._about(full)
            if about is None or about.deleted:
                raise _changed(full) from None

    async def _replace(self, full: str, version: str, text: str, base: str | None) -> None:
        """Put a version and make it the current one, in place of `base`. The version's id is
        the request's token: a request that is sent twice makes one version."""
        put = await self._changing(
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
            await self._unlabel(full, version)
            raise _changed(full)

    async def _promote(self, full: str, version: str, base: str) -> None:
        try:
            await self._call(
                "UpdateSecretVersionStage",
                full,
                "InvalidParameterException",
                *_GONE,
                SecretId=full,
                VersionStage=CURRENT,
                RemoveFromVersionId=base,
                MoveToVersionId=version,
            )
        except Refused as refused:
            await self._settle(full, version, base, refused.error)

    async def _settle(self, full: str, version: str, base: str, error: StorePluginError) -> None:
        """Tell a lost race from a request that was carried out and sent again because its
        answer was lost."""
        about = await self._about(full)
        if about and not about.deleted and about.current == version:
            return
        if about and not about.deleted and about.current == base:
            raise error
        if about and about.pending == version:
            await self._unlabel(full, version)
        raise _changed(full)

    async def _finish(self, full: str, before: About, wanted: Mapping[str, str]) -> None:
        """What follows the value: tags and replicas, where they differ."""
        if changed := aws_tags.to_set(before.tags, wanted):
            await self._changing("TagResource", full, Tags=aws_tags.to_request(changed))
        if gone := sorted(before.tags.keys() - wanted.keys()):
            await self._changing("UntagResource", full, TagKeys=gone)
        if missing := self._replicas(before.replicas):
            await self._changing("ReplicateSecretToRegions", full, AddReplicaRegions=missing)

    async def _unlabel(self, full: str, version: str) -> None:
        """Leave no label of ours behind. What fails here, the next write makes good."""
        try:
            await self._call(
                "UpdateSecretVersionStage",
                full,
                "InvalidParameterException",
                *_GONE,
                SecretId=full,
                VersionStage=PENDING,
                RemoveFromVersionId=version,
            )
        except Refused:
            return  # another writer has moved the label on
        except StorePluginError as error:
            self._log.warning("aws_label_left_behind", error=error.message)

    def _replicas(self, there: Mapping[str, str] | tuple[()]) -> list[dict[str, object]]:
        """The replicas to add, as a request spells them."""
        return [
            _given({"Region": replica.region, "KmsKeyId": replica.kms_key_id})
            for replica in self._options.replica_regions
            if replica.region not in there
        ]

    # Removing.

    async def delete(self, name: ScopedName, base: StoredSecret) -> None:
        full, held = self._names.full(name), base.raw if isinstance(base.raw, Held) else Held()
        if held.about.replicas:
            await self._changing(
                "RemoveRegionsFromReplication", full, RemoveReplicaRegions=sorted(held.about.replicas)
            )
        window: dict[str, object] = {"RecoveryWindowInDays": self._options.recovery_window_days}
        how = {"ForceDeleteWithoutRecovery": True} if self._options.force_delete else window
        try:
            await self._call("DeleteSecret", full, *_GONE, "InvalidParameterException", SecretId=full, **how)
        except Refused as refused:
            await self._settle_removal(full, refused)

    async def _settle_removal(self, full: str, refused: Refused) -> None:
        about = await self._about(full)
        if about is None or about.deleted:
            return
        # Replicas go in their own time, and the secret not before them.
        raise _changed(full) if about.replicas else refused.error

    # Listing and checking.

    async def names(self, scope: str) -> AsyncIterator[ScopedName]:
        """The filter of the service is wider than a scope: names are compared here."""
        folder = self._names.folder(scope)
        filters = {"Filters": [{"Key": "name", "Values": [folder]}]} if folder else {}
        token: dict[str, object] = {}
        while True:
            answer = await self._call("ListSecrets", folder, MaxResults=_PAGE, **filters, **token)
            for found in answer.get("SecretList", ()):
                for name in self._names.parsed(found["Name"], scope) if not found.get("DeletedDate") else ():
                    yield name
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    async def check(self) -> list[str]:
        """Look for a secret that is not there; StoreDenied where that is not allowed."""
        await self.read(CHECK, None)
        return await self._replica_problems() if self._options.replica_regions else []

    async def aclose(self) -> None:
        """Nothing is under way that must come to its end."""

    async def _replica_problems(self) -> list[str]:
        found: list[str] = []
        looked_at = 0
        try:
            async for name in self.names(""):
                about = await self._about(self._names.full(name))
                found += self._replicas_amiss(name, about.replicas) if about and not about.deleted else []
                looked_at += 1
                if looked_at == _REPLICAS_LOOKED_AT:
                    break
        except StoreDenied:
            return ["the replicas cannot be checked: secretsmanager:ListSecrets is not allowed"]
        return found

    def _replicas_amiss(self, name: ScopedName, there: Mapping[str, str]) -> list[str]:
        wanted = [replica.region for replica in self._options.replica_regions]
        return [
            f"secret {name} in region {region}: the replica is {there.get(region, 'missing')}"
            for region in wanted
            if there.get(region) != "InSync"
        ]

    # Calls.

    async def _changing(self, operation: str, full: str, **parameters: object) -> Answer:
        """A call that changes a secret. Conflict where it is gone, or going."""
        try:
            return await self._call(operation, full, *_GONE, SecretId=full, **parameters)
        except Refused as refused:
            about = await self._about(full)
            if about and not about.deleted:
                raise refused.error from None
            raise _changed(full) from None

    async def _call(self, operation: str, full: str, /, *expect: str, **parameters: object) -> Answer:
        return await self._client.call(operation, f"{self._config}: {operation} {full}", expect, **parameters)


def _anew(dead: About, wanted: Mapping[str, str]) -> str:
    return version_ids.anew(dead.current, dead.tags, wanted)


def _changed(full: str) -> Conflict:
    return Conflict(f"secret {full} has changed since it was read")


def _given(optional: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in optional.items() if value}
