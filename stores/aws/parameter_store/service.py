"""The parameters of one region as the `Service` that the store stands on."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from store_plugin.errors import Conflict, VersionNotFound
from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Limits, Logger
from stores.aws import tags as aws_tags
from stores.aws.access.clients import SharedClient
from stores.aws.names import Names
from stores.aws.pairs import both
from stores.aws.parameter_store.calls import Calls, Parameter
from stores.aws.parameter_store.naming import NameRules
from stores.aws.parameter_store.overwriting import Overwriter, escaped
from stores.aws.service import checked, encoded, stored_as
from stores.aws.spec import ParameterStoreOptions
from stores.aws.unbroken import Unbroken

MOST_BYTES = {"Standard": 4_096, "Advanced": 8_192, "Intelligent-Tiering": 8_192}
"""Of the document, by tier."""
WARNING = (
    "Parameter Store has no conditional overwrite: where another process writes the same secret at the same "
    "moment, both writes are put together right afterwards, and until then readers see one of them only"
)
_BYTES_A_KEY = 13
_PAGE = 50
_LOOKS = 8


@dataclass(frozen=True, slots=True)
class Held:
    """What the service holds beside the secret itself; travels as `StoredSecret.raw`."""

    text: str | None = field(default=None, repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    type: str | None = None


class ParameterStore:
    """The parameters of one region below a prefix."""

    def __init__(
        self,
        client: SharedClient,
        prefix: str,
        options: ParameterStoreOptions,
        config: str,
        region: str,
        log: Logger,
    ) -> None:
        self._calls = Calls(client, options, config)
        self._overwriter = Overwriter(self._calls, log)
        self._names = Names(f"/{prefix}/" if prefix else "/", NameRules.of(region).problem)
        self._options = options
        self._unbroken = Unbroken()
        self._most = MOST_BYTES[options.tier]
        self.capabilities = Capabilities(
            compare_and_set=True,
            conditional_delete=False,
            versions=True,
            listing=True,
            limits=Limits(
                data_bytes=self._most - 36,
                keys=self._most // _BYTES_A_KEY,
                metadata_entries=aws_tags.MOST_TAGS - len(options.tags),
                metadata_key_bytes=aws_tags.LONGEST_KEY,
                metadata_value_bytes=aws_tags.LONGEST_VALUE,
            ),
        )

    # Reading.

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        full = self._names.full(name)
        selected = full if version is None else f"{full}:{_number(name, version)}"
        for _ in range(_LOOKS):
            found, tags = await both(self._calls.parameter(full, selected), self._calls.tags(full))
            if found is None and version is not None:
                raise _unknown(name, version)
            if found is None and tags is None:
                return ABSENT
            if found is not None and tags is not None:
                return self._stored(full, found, tags)
        raise Conflict(f"secret {name} kept changing while it was read; try again", retry_after=1.0)

    def _stored(self, full: str, found: Parameter, tags: Mapping[str, str]) -> StoredSecret:
        metadata, document = aws_tags.without(tags, self._options.tags), stored_as(found.text, full)
        return StoredSecret(
            Presence.PRESENT,
            Secret(document.values, metadata),
            Version(str(found.version)),
            Held(document.text, tags, found.type),
            unreadable=document.unreadable,
        )

    # Writing.

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version | None:
        aws_tags.check_metadata(str(name), secret.metadata, self._options.tags)
        full, held = self._names.full(name), base.raw if isinstance(base.raw, Held) else Held()
        wanted = {**secret.metadata, **self._options.tags}
        if base.present and base.unreadable is None and base.secret.data == secret.data:
            await self._finish(full, held.tags, wanted)
            return base.version
        text = checked(name, escaped(encoded(name, secret, held.text)), self._most)
        if not base.present:
            return Version(str(await self._calls.create(full, text, wanted)))
        overwriting = self._overwriter.overwrite(full, text, held.type, int(base.version or 0), held.text)
        version = await self._unbroken.run(overwriting)
        await self._finish(full, held.tags, wanted)
        return Version(str(version))

    async def _finish(self, full: str, before: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        """What follows the value: tags, where they differ."""
        if changed := aws_tags.to_set(before, wanted):
            await self._calls.change_tags("AddTagsToResource", full, Tags=aws_tags.to_request(changed))
        if gone := sorted(before.keys() - wanted.keys()):
            await self._calls.change_tags("RemoveTagsFromResource", full, TagKeys=gone)

    # Removing, listing, checking.

    async def delete(self, name: ScopedName, base: StoredSecret) -> None:
        await self._calls.remove(self._names.full(name))

    async def names(self, scope: str) -> AsyncIterator[ScopedName]:
        folder = self._names.folder(scope)
        path = {"Key": "Path", "Option": "Recursive", "Values": [folder.rstrip("/") or "/"]}
        token: dict[str, object] = {}
        while True:
            answer = await self._calls.call(
                "DescribeParameters", folder, ParameterFilters=[path], MaxResults=_PAGE, **token
            )
            for found in answer.get("Parameters", ()):
                for name in self._names.parsed(found["Name"], scope):
                    yield name
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    async def check(self) -> list[str]:
        """What should be known of the service."""
        return [WARNING]

    async def aclose(self) -> None:
        await self._unbroken.aclose()


def _number(name: ScopedName, version: Version) -> int:
    if version.isascii() and version.isdigit() and len(version) < 19 and int(version) > 0:
        return int(version)
    raise _unknown(name, version)


def _unknown(name: ScopedName, version: Version) -> VersionNotFound:
    return VersionNotFound(f"secret {name} has no version {version[:20]!r}")
