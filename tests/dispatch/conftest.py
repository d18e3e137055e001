"""A house for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.support.house import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.router.aclose(wait=0.0)
