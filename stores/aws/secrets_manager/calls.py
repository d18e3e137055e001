"""The calls to Secrets Manager about one secret, each named in what it is refused with."""

from collections.abc import Mapping

from stores.aws.access.client import Answer
from stores.aws.access.clients import SharedClient
from stores.aws.errors import Refused, changed
from stores.aws.secrets_manager.contents import About, NoValue, Value, about_from, value_from

NOT_FOUND = "ResourceNotFoundException"
WRONG_STATE = "InvalidRequestException"
GONE = (NOT_FOUND, WRONG_STATE)
"""What the service says of a secret that is not there, or scheduled for deletion."""


class Calls:
    """The calls of one config. `full` is a secret's name in AWS."""

    def __init__(self, client: SharedClient, config: str) -> None:
        self._client = client
        self._config = config

    async def value(self, full: str, which: Mapping[str, str]) -> Value | NoValue:
        """The value of the version that is asked for."""
        try:
            answer = await self.call("GetSecretValue", full, *GONE, SecretId=full, **which)
        except Refused as refused:
            return NoValue(refused.code, refused.error, refused=refused.code == WRONG_STATE)
        return value_from(answer)

    async def about(self, full: str) -> About | None:
        """What is around the values; None where there is no such secret."""
        try:
            return about_from(await self.call("DescribeSecret", full, NOT_FOUND, SecretId=full))
        except Refused:
            return None

    async def change(self, operation: str, full: str, **parameters: object) -> Answer:
        """A call that changes a secret. Conflict where it is gone, or going."""
        try:
            return await self.call(operation, full, *GONE, SecretId=full, **parameters)
        except Refused as refused:
            about = await self.about(full)
            if about and not about.deleted:
                raise refused.error from None
            raise changed(full) from None

    async def call(self, operation: str, full: str, /, *expect: str, **parameters: object) -> Answer:
        """Any operation; Refused for the codes in `expect`."""
        return await self._client.call(operation, f"{self._config}: {operation} {full}", expect, **parameters)
