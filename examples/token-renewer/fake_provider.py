"""A provider of tokens as a plugin: it makes up tokens that last a while.

    python examples/token-renewer/fake_provider.py unix:///run/token-renewer/hub.sock [SECONDS]

A real one asks a service instead, with the credentials that it has; the rest stays.
"""

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import Any

import grpc
from token_provider_pb2 import (
    GetTokenValidityRequest,
    GetTokenValidityResponse,
    RenewTokenRequest,
    RenewTokenResponse,
)
from token_provider_pb2_grpc import TokenProviderServiceServicer, add_TokenProviderServiceServicer_to_server

from store_plugin.plugin import Plugin


class FakeProvider(TokenProviderServiceServicer):
    """Its tokens say when they end: `fake.SECONDS_SINCE_1970.RANDOM`."""

    def __init__(self, lifetime: int) -> None:
        self._lifetime = lifetime

    async def RenewToken(self, request: RenewTokenRequest, context: Any) -> RenewTokenResponse:
        await ends_at(request.token, context)
        ends = int(time.time()) + self._lifetime
        return RenewTokenResponse(
            token=f"fake.{ends}.{secrets.token_urlsafe(8)}",
            new_metadata=str(int(request.metadata or 0) + 1),
            expiration=datetime.fromtimestamp(ends, UTC),
        )

    async def GetTokenValidity(
        self, request: GetTokenValidityRequest, context: Any
    ) -> GetTokenValidityResponse:
        return GetTokenValidityResponse(expiration=await ends_at(request.token, context))


async def ends_at(token: str, context: Any) -> datetime:
    _, _, rest = token.partition("fake.")
    ends = rest.partition(".")[0]
    if not ends.isdigit():
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this is no token of ours")
    return datetime.fromtimestamp(int(ends), UTC)


def main() -> None:
    plugin = Plugin("fake", "1.0")
    lifetime = int(sys.argv[2]) if len(sys.argv) > 2 else 3600
    add_TokenProviderServiceServicer_to_server(FakeProvider(lifetime), plugin)
    asyncio.run(plugin.run(sys.argv[1]))


if __name__ == "__main__":
    main()
