"""Writing a secret: the value first, then whatever differs around it.

A create is one call, tags included. A write over what is there makes a version the current
one (`versions`); what is scheduled for deletion is restored for it.
"""

from collections.abc import Mapping

from store_plugin.model import Presence, ScopedName, Secret, StoredSecret, Version
from stores.aws import tags as aws_tags
from stores.aws.errors import Refused, changed
from stores.aws.secrets_manager import replicas, version_ids
from stores.aws.secrets_manager.calls import GONE, WRONG_STATE, Calls
from stores.aws.secrets_manager.contents import About, Held
from stores.aws.secrets_manager.versions import Versions
from stores.aws.service import checked, encoded
from stores.aws.spec import SecretsManagerOptions

MOST_BYTES = 65_536
"""Of the document."""


class Writer:
    """Writes the secrets of one config."""

    def __init__(self, calls: Calls, versions: Versions, options: SecretsManagerOptions) -> None:
        self._calls = calls
        self._versions = versions
        self._options = options

    async def write(self, name: ScopedName, full: str, secret: Secret, base: StoredSecret) -> Version | None:
        """As `Store.write`."""
        aws_tags.check_metadata(str(name), secret.metadata, self._options.tags)
        held = base.raw if isinstance(base.raw, Held) else Held()
        wanted = {**secret.metadata, **self._options.tags}
        text = checked(name, encoded(name, secret, held.text), MOST_BYTES)
        if base.presence is Presence.ABSENT:
            return await self._create(full, text, wanted)
        readable = base.present and base.unreadable is None
        if readable and base.version and base.secret.data == secret.data:
            await self._finish(full, held.about, wanted)
            return base.version
        if held.about.deleted:
            await self._restore(full)
        version = version_ids.fresh() if base.present else _anew(held.about, wanted)
        await self._versions.replace(full, version, text, base.version)
        await self._finish(full, held.about, wanted)
        await self._versions.unlabel(full, version)
        return Version(version)

    async def _create(self, full: str, text: str, wanted: Mapping[str, str]) -> Version:
        """The whole secret in one call: nothing of it can be missing afterwards."""
        version = version_ids.fresh()
        optional = {
            "KmsKeyId": self._options.kms_key_id,
            "Tags": aws_tags.to_request(wanted),
            "AddReplicaRegions": replicas.missing(self._options.replica_regions, {}),
        }
        given = {key: value for key, value in optional.items() if value}
        # The wrong state: one of that name has just been scheduled for deletion.
        expect = ("ResourceExistsException", WRONG_STATE)
        try:
            await self._calls.call(
                "CreateSecret",
                full,
                *expect,
                Name=full,
                SecretString=text,
                ClientRequestToken=version,
                **given,
            )
        except Refused:
            raise changed(full) from None
        return Version(version)

    async def _restore(self, full: str) -> None:
        """Undo the deletion; it may be that another writer has done so already."""
        try:
            await self._calls.call("RestoreSecret", full, *GONE, SecretId=full)
        except Refused:
            about = await self._calls.about(full)
            if about is None or about.deleted:
                raise changed(full) from None

    async def _finish(self, full: str, before: About, wanted: Mapping[str, str]) -> None:
        """What follows the value: tags and replicas, where they differ."""
        if new := aws_tags.to_set(before.tags, wanted):
            await self._calls.change("TagResource", full, Tags=aws_tags.to_request(new))
        if gone := sorted(before.tags.keys() - wanted.keys()):
            await self._calls.change("UntagResource", full, TagKeys=gone)
        if missing := replicas.missing(self._options.replica_regions, before.replicas):
            await self._calls.change("ReplicateSecretToRegions", full, AddReplicaRegions=missing)


def _anew(dead: About, wanted: Mapping[str, str]) -> str:
    return version_ids.anew(dead.current, dead.tags, wanted)
