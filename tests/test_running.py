"""One logic, run with and without an event loop."""

import asyncio

import pytest

from store_plugin.running import run_now, settled


async def both(first: object, second: object) -> list[object]:
    return [await settled(first), await settled(second)]


async def later(value: object) -> object:
    await asyncio.sleep(0)
    return value


def test_answers_that_are_there_need_no_loop() -> None:
    assert run_now(both(1, None)) == [1, None]


async def test_answers_that_come_later_are_awaited() -> None:
    assert await both(1, later(2)) == [1, 2]


def test_an_error_comes_through() -> None:
    async def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_now(fails())


def test_a_part_made_for_asyncio_is_told() -> None:
    with pytest.raises(TypeError, match="use AsyncDetailsManager"):
        run_now(both(1, later(2)))
