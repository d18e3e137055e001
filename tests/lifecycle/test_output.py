"""What a plugin writes, for those who read it: the last lines, and each as it comes."""

import asyncio

import pytest

from store_plugin.errors import Overloaded
from store_plugin.lifecycle.supervision.output import KEPT_LINES, MOST_FOLLOWERS, MOST_WAITING, Lines, Output
from store_plugin.testing.environment import RecordingLog


@pytest.fixture
def output() -> Output:
    return Output("shelves", RecordingLog())


def texts(taken: Lines | None) -> list[str]:
    assert taken is not None
    return [line.text for line in taken.lines]


async def test_a_follower_gets_the_last_lines_and_then_what_comes(output: Output) -> None:
    for number in range(5):
        output.take(str(number))
    with output.followed(2, on=True) as follower:
        assert texts(await follower.take(10)) == ["3", "4"]
        waiting = asyncio.create_task(follower.take(10))
        await asyncio.sleep(0)
        output.take("5")
        assert texts(await waiting) == ["5"]
        output.end()
        assert await follower.take(10) is None


@pytest.mark.parametrize("on", [True, False], ids=["ended", "not followed"])
async def test_where_nothing_can_come_the_end_follows_the_last_lines(output: Output, on: bool) -> None:
    output.take("only")
    if on:
        output.end()
    with output.followed(10, on=on) as follower:
        assert texts(await follower.take(10)) == ["only"]
        assert await follower.take(10) is None


async def test_a_slow_follower_loses_the_oldest_lines_and_is_told(output: Output) -> None:
    with output.followed(0, on=True) as follower:
        for number in range(MOST_WAITING + 7):
            output.take(str(number))
        taken = await follower.take(2)
        assert (texts(taken), taken and taken.lost) == (["7", "8"], 7)
        taken = await follower.take(MOST_WAITING)
        assert taken is not None
        assert (len(taken.lines), taken.lost) == (MOST_WAITING - 2, 0)


async def test_there_are_so_many_followers_and_no_more(output: Output) -> None:
    held = [output.followed(0, on=True) for _ in range(MOST_FOLLOWERS)]
    for follower in held:
        follower.__enter__()
    with pytest.raises(Overloaded), output.followed(0, on=True):
        pass
    held[0].__exit__(None, None, None)
    with output.followed(0, on=True):
        assert output.followers == MOST_FOLLOWERS


def test_so_many_lines_are_kept_and_no_more(output: Output) -> None:
    for number in range(KEPT_LINES + 3):
        output.take(str(number))
    assert output.last()[0] == "3"
    assert output.last(0) == []
