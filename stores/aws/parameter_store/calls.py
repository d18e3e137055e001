"""The calls to Parameter Store about one parameter, each named in what it is refused with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stores.aws import tags as aws_tags
from stores.aws.access.client import Answer
from stores.aws.access.clients import SharedClient
from stores.aws.errors import Refused, changed
from stores.aws.spec import ParameterStoreOptions

_AT_ONCE = 10
_NOT_FOUND = "ParameterNotFound"
_NO_VERSION = "ParameterVersionNotFound"
_NO_RESOURCE = "InvalidResourceId"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A version of a parameter."""

    version: int
    text: str = field(repr=False)
    type: str


class Calls:
    """The calls of one config. `full` is a parameter's name."""

    def __init__(self, client: SharedClient, options: ParameterStoreOptions, config: str) -> None:
        self._client = client
        self._options = options
        self._config = config

    async def parameter(self, full: str, selected: str | None = None) -> Parameter | None:
        """The latest version, or the one `selected`; None where there is none."""
        try:
            answer = await self.call(
                "GetParameter", full, _NOT_FOUND, _NO_VERSION, Name=selected or full, WithDecryption=True
            )
        except Refused:
            return None
        return _parameter_from(answer["Parameter"])

    async def tags(self, full: str) -> dict[str, str] | None:
        """None where there is no such parameter."""
        try:
            answer = await self.call("ListTagsForResource", full, _NO_RESOURCE, **_resource(full))
        except Refused:
            return None
        return aws_tags.from_answer(answer.get("TagList"))

    async def texts(self, full: str, versions: Sequence[int]) -> dict[int, str]:
        """The documents of versions, in that order; those that are gone left out."""
        found: dict[int, str] = {}
        for start in range(0, len(versions), _AT_ONCE):
            selected = [f"{full}:{version}" for version in versions[start : start + _AT_ONCE]]
            answer = await self.call("GetParameters", full, Names=selected, WithDecryption=True)
            parameters = map(_parameter_from, answer.get("Parameters", ()))
            found |= {parameter.version: parameter.text for parameter in parameters}
        return {version: found[version] for version in versions if version in found}

    async def create(self, full: str, text: str, tags: Mapping[str, str]) -> int:
        """The version made: the whole secret in one call, so nothing of it can be missing
        afterwards. Conflict where there is one already."""
        given = {"Tags": aws_tags.to_request(tags)} if tags else {}
        return await self._put(full, text, self._options.type, Overwrite=False, **given)

    async def replace(self, full: str, text: str, kind: str | None) -> int:
        """The version made over whatever is there; `kind` is the type of what was read."""
        return await self._put(full, text, kind or self._options.type, Overwrite=True)

    async def change_tags(self, operation: str, full: str, **parameters: object) -> None:
        """Conflict where the parameter is gone."""
        try:
            await self.call(operation, full, _NO_RESOURCE, "TooManyUpdates", **_resource(full), **parameters)
        except Refused:
            raise changed(full) from None

    async def remove(self, full: str) -> None:
        """Remove the parameter with all its versions, if it is there."""
        try:
            await self.call("DeleteParameter", full, _NOT_FOUND, Name=full)
        except Refused:
            return  # it is gone already

    async def call(self, operation: str, full: str, /, *expect: str, **parameters: object) -> Answer:
        """Any operation; Refused for the codes in `expect`."""
        return await self._client.call(operation, f"{self._config}: {operation} {full}", expect, **parameters)

    async def _put(self, full: str, text: str, kind: str, **parameters: object) -> int:
        key = self._options.kms_key_id if kind == "SecureString" else None
        key_id = {"KeyId": key} if key else {}
        given = {"Name": full, "Value": text, "Type": kind, "Tier": self._options.tier, **key_id}
        expect = ("ParameterAlreadyExists", "TooManyUpdates")
        try:
            answer = await self.call("PutParameter", full, *expect, **given, **parameters)
        except Refused:
            raise changed(full) from None
        return int(answer["Version"])


def _parameter_from(found: Mapping[str, object]) -> Parameter:
    return Parameter(int(str(found["Version"])), str(found["Value"]), str(found["Type"]))


def _resource(full: str) -> dict[str, object]:
    return {"ResourceType": "Parameter", "ResourceId": full}
