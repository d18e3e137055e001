"""A call whose deadline seems to have passed when its turn comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from store_plugin._proto import ess_pb2
from store_plugin.sidecar.call import Call
from store_plugin.sidecar.service import SecretStoreService
from store_plugin.wire import reference_to
from tests.support.house import House, reference


class Over:
    """A context as gRPC's, after the deadline."""

    def time_remaining(self) -> float:
        return 0.0


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    house.put("a")
    yield house
    await house.router.aclose(wait=0.0)


def get(house: House) -> "asyncio.Task[bytes]":
    request = ess_pb2.GetSecretRequest(
        config=reference_to(reference("a")), secret=ess_pb2.Secret(scoped_name="team-a/db")
    )
    context: Any = Over()
    call = Call(context, "GetSecret", callers=("local",))
    return asyncio.create_task(SecretStoreService(house.router).get(request.SerializeToString(), call))


async def test_one_that_grpc_ends_asks_no_store(house: House) -> None:
    call = get(house)
    for _ in range(10):
        await asyncio.sleep(0)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    assert house.calls == []


async def test_one_that_grpc_lets_live_is_answered(house: House) -> None:
    answer = ess_pb2.GetSecretResponse.FromString(await get(house))
    assert answer.secret.scoped_name == "team-a/db"
    assert [verb for _, verb, _ in house.calls] == ["read"]
