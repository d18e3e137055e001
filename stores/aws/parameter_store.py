"""Parameter Store: a parameter a secret, its document encrypted, metadata as tags.

The service counts versions and has no conditional overwrite. So a write looks at the
version that it made: where that is not the one after its base, it went over versions that
it had not read. It then puts all of them together and writes that, and has lost the race
(docs/stores/aws.md, "Parameter Store").
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from store_plugin.errors import Conflict, VersionNotFound
from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Limits, Logger
from stores.aws import tags as aws_tags
from stores.aws.clients import Answer, SharedClient
from stores.aws.errors import Refused
from stores.aws.merging import merged, same
from stores.aws.names import CHECK, Names
from stores.aws.pairs import both
from stores.aws.service import checked, encoded, values_in
from stores.aws.spec import ParameterStoreOptions
from stores.aws.unbroken import Unbroken

MOST_BYTES = {"Standard": 4_096, "Advanced": 8_192, "Intelligent-Tiering": 8_192}
"""Of the document, by tier."""
WARNING = (
    "Parameter Store has no conditional overwrite: where another process writes the same secret at the same "
    "moment, both writes are put together right afterwards, and until then readers see one of them only"
)
_BYTES_A_KEY = 13
_LONGEST_ARN = 1_011
_MOST_LEVELS = 15
_PAGE = 50
_AT_ONCE = 10
_LOOKS = 8
_REPAIRS = 50
_PAUSE = 0.005
_NAME = re.compile(r"[A-Za-z0-9_./-]+\Z")
_RESERVED = ("/aws", "/ssm")
_NOT_FOUND = "ParameterNotFound"
_NO_VERSION = "ParameterVersionNotFound"
_NO_RESOURCE = "InvalidResourceId"


@dataclass(frozen=True, slots=True)
class Held:
    """What the service holds beside the secret itself; travels as `StoredSecret.raw`."""

    text: str | None = field(default=None, repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A version of a parameter."""

    version: int
    text: str = field(repr=False)
    type: str


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
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._longest = _LONGEST_ARN - len(f"arn:aws-us-gov:ssm:{region}:123456789012:parameter")
        self._names = Names(f"/{prefix}/" if prefix else "/", self.problem)
        self._options = options
        self._config = config
        self._log = log
        self._sleep = sleep
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

    def problem(self, full: str) -> str | None:
        """Why the service would refuse a name that is a scoped name."""
        if not _NAME.match(full):
            return "Parameter Store takes letters, digits and _ . - only"
        if full.lower().startswith(_RESERVED):
            return "Parameter Store takes no name that begins with aws or ssm; set a prefix"
        if len(full) > self._longest or full.count("/") > _MOST_LEVELS:
            return f"with its prefix it has more than {self._longest} characters or {_MOST_LEVELS} levels"
        return None

    # Reading.

    async def read(self, name: ScopedName, version: Version | None) -> StoredSecret:
        full = self._names.full(name)
        selected = full if version is None else f"{full}:{_number(name, version)}"
        for _ in range(_LOOKS):
            found, tags = await both(self._parameter(full, selected), self._tags(full))
            if found is None and version is not None:
                raise _unknown(name, version)
            if found is None and tags is None:
                return ABSENT
            if found is not None and tags is not None:
                return self._stored(name, found, tags)
        raise Conflict(f"secret {name} kept changing while it was read; try again", retry_after=1.0)

    def _stored(self, name: ScopedName, found: Parameter, tags: Mapping[str, str]) -> StoredSecret:
        metadata = aws_tags.without(tags, self._options.tags)
        return StoredSecret(
            Presence.PRESENT,
            Secret(values_in(found.text, str(name)), metadata),
            Version(str(found.version)),
            Held(found.text, tags, found.type),
        )

    async def _parameter(self, full: str, selected: str) -> Parameter | None:
        try:
            answer = await self._call(
                "GetParameter", full, _NOT_FOUND, _NO_VERSION, Name=selected, WithDecryption=True
            )
        except Refused:
            return None
        return _parameter_from(answer["Parameter"])

    async def _tags(self, full: str) -> dict[str, str] | None:
        """None where there is no such parameter."""
        try:
            answer = await self._call("ListTagsForResource", full, _NO_RESOURCE, **_resource(full))
        except Refused:
            return None
        return aws_tags.from_answer(answer.get("TagList"))

    # Writing.

    async def write(self, name: ScopedName, secret: Secret, base: StoredSecret) -> Version | None:
        aws_tags.check_metadata(str(name), secret.metadata, self._options.tags)
        full, held = self._names.full(name), base.raw if isinstance(base.raw, Held) else Held()
        wanted = {**secret.metadata, **self._options.tags}
        if base.present and base.secret.data == secret.data:
            await self._finish(full, held.tags, wanted)
            return base.version
        text = checked(name, _escaped(encoded(name, secret, held.text)), self._most)
        if not base.present:
            return await self._create(full, text, wanted)
        version = await self._unbroken.run(self._overwrite(full, text, base, held))
        await self._finish(full, held.tags, wanted)
        return Version(str(version))

    async def _create(self, full: str, text: str, wanted: Mapping[str, str]) -> Version:
        """The whole secret in one call: nothing of it can be missing afterwards."""
        tags = {"Tags": aws_tags.to_request(wanted)} if wanted else {}
        try:
            answer = await self._put(full, text, self._options.type, Overwrite=False, **tags)
        except Refused:
            raise _changed(full) from None
        return Version(str(answer["Version"]))

    async def _overwrite(self, full: str, text: str, base: StoredSecret, held: Held) -> int:
        """The version that it became. Conflict where it went over versions of others."""
        version, successor = await self._replace(full, text, held.type), int(base.version or 0) + 1
        if version == successor:
            return version
        if version == 1:
            await self._take_back(full)
        elif version < successor:
            # Removed and made anew meanwhile: what we had read is of no account any more.
            await self._repair(full, None, [], range(1, version), version, held.type)
        elif not await self._repair(full, held.text, [text], range(successor, version), version, held.type):
            return version
        raise _changed(full)

    async def _replace(self, full: str, text: str, kind: str | None) -> int:
        try:
            answer = await self._put(full, text, kind or self._options.type, Overwrite=True)
        except Refused:
            raise _changed(full) from None
        return int(answer["Version"])

    async def _put(self, full: str, text: str, kind: str, **parameters: object) -> Answer:
        key = self._options.kms_key_id if kind == "SecureString" else None
        key_id = {"KeyId": key} if key else {}
        expect = ("ParameterAlreadyExists", "TooManyUpdates")
        tier = {"Tier": self._options.tier}
        return await self._call(
            "PutParameter", full, *expect, Name=full, Value=text, Type=kind, **tier, **key_id, **parameters
        )

    async def _repair(
        self, full: str, before: str | None, ours: list[str], skipped: range, ours_at: int, kind: str | None
    ) -> bool:
        """Write again what others made of `before` in the versions that we went over, with
        ours, until the latest version holds all of it. False where there was nothing of
        others: a request that was sent twice.

        Every process does so, and nobody takes anything away that another has written: so
        what one was told to be stored stays stored.
        """
        own, head = {ours_at}, ours_at
        for attempt in range(_REPAIRS):
            theirs = await self._texts(full, [n for n in range(skipped.start, head + 1) if n not in own])
            if ours and attempt == 0 and all(their == ours[0] for their in theirs):
                return False
            wanted = _escaped(merged(before, [*ours, *theirs], full))
            latest = await self._parameter(full, full)
            if latest is None or (latest.version == head and same(latest.text, wanted, full)):
                return True
            if latest.version == head:
                version = await self._replace(full, wanted, kind)
                own.add(version)
                if version == head + 1:
                    return True
                head = version
            else:
                head = latest.version
            await self._sleep(random.uniform(0, _PAUSE * (attempt + 1)))
        self._log.warning("aws_versions_not_put_together", parameter=full)
        return True

    async def _take_back(self, full: str) -> None:
        """Remove a parameter that our overwrite made, as another had removed it, unless
        somebody has used it since."""
        found = await self._parameter(full, full)
        if found is not None and found.version == 1:
            await self._remove(full)

    async def _texts(self, full: str, versions: Sequence[int]) -> list[str]:
        """The documents of versions, in order; those that are gone left out."""
        found: dict[int, str] = {}
        for start in range(0, len(versions), _AT_ONCE):
            selected = [f"{full}:{version}" for version in versions[start : start + _AT_ONCE]]
            answer = await self._call("GetParameters", full, Names=selected, WithDecryption=True)
            parameters = map(_parameter_from, answer.get("Parameters", ()))
            found |= {parameter.version: parameter.text for parameter in parameters}
        return [found[version] for version in versions if version in found]

    async def _finish(self, full: str, before: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        """What follows the value: tags, where they differ."""
        if changed := aws_tags.to_set(before, wanted):
            await self._tagging("AddTagsToResource", full, Tags=aws_tags.to_request(changed))
        if gone := sorted(before.keys() - wanted.keys()):
            await self._tagging("RemoveTagsFromResource", full, TagKeys=gone)

    async def _tagging(self, operation: str, full: str, **parameters: object) -> None:
        try:
            await self._call(operation, full, _NO_RESOURCE, "TooManyUpdates", **_resource(full), **parameters)
        except Refused:
            raise _changed(full) from None

    # Removing, listing, checking.

    async def delete(self, name: ScopedName, base: StoredSecret) -> None:
        await self._remove(self._names.full(name))

    async def _remove(self, full: str) -> None:
        try:
            await self._call("DeleteParameter", full, _NOT_FOUND, Name=full)
        except Refused:
            return  # it is gone already

    async def names(self, scope: str) -> AsyncIterator[ScopedName]:
        folder = self._names.folder(scope)
        path = {"Key": "Path", "Option": "Recursive", "Values": [folder.rstrip("/") or "/"]}
        token: dict[str, object] = {}
        while True:
            answer = await self._call(
                "DescribeParameters", folder, ParameterFilters=[path], MaxResults=_PAGE, **token
            )
            for found in answer.get("Parameters", ()):
                for name in self._names.parsed(found["Name"], scope):
                    yield name
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    async def check(self) -> list[str]:
        """Look for a parameter that is not there; StoreDenied where that is not allowed."""
        await self.read(CHECK, None)
        return [WARNING]

    async def aclose(self) -> None:
        await self._unbroken.aclose()

    async def _call(self, operation: str, full: str, /, *expect: str, **parameters: object) -> Answer:
        return await self._client.call(operation, f"{self._config}: {operation} {full}", expect, **parameters)


def _parameter_from(found: Mapping[str, object]) -> Parameter:
    return Parameter(int(str(found["Version"])), str(found["Value"]), str(found["Type"]))


def _resource(full: str) -> dict[str, object]:
    return {"ResourceType": "Parameter", "ResourceId": full}


def _number(name: ScopedName, version: Version) -> int:
    if version.isascii() and version.isdigit() and len(version) < 19 and int(version) > 0:
        return int(version)
    raise _unknown(name, version)


def _unknown(name: ScopedName, version: Version) -> VersionNotFound:
    return VersionNotFound(f"secret {name} has no version {version[:20]!r}")


def _changed(full: str) -> Conflict:
    return Conflict(f"secret {full} has changed since it was read")


def _escaped(text: str) -> str:
    """The same document without `{{`, which the service takes for a reference. In JSON it
    occurs inside strings only, where one brace may be spelled as an escape."""
    return text.replace("{{", "{\\u007b")
