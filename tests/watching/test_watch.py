"""A collection that is followed, whatever the API server answers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from store_plugin.cluster_api import ClusterApi
from store_plugin.watching.pauses import Pauses
from store_plugin.watching.requests import Collection, Event
from store_plugin.watching.watch import Watch
from tests.support.cluster_answers import Answer, Answers, error, event, listing
from tests.support.fakes import RecordingLog
from tests.support.waiting import until


class Names:
    """A target that keeps names."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.lists = 0

    async def listed(self, pages: AsyncIterator[list[Any]]) -> None:
        self.now = [item["metadata"]["name"] async for page in pages for item in page]
        self.lists += 1

    async def changed(self, events: list[Event]) -> None:
        self.now += [event.object["metadata"]["name"] for event in events]


IDLE = ConnectionError("cut")
HALF = event("b", "7")
DEEP = HALF.replace(b"{", b'{"deep":' + b"[" * 5000 + b"]" * 5000 + b",", 1)
RELISTED = [
    ("410 as an event", [listing("a"), Answer(error(410)), listing("a", "b", version="9"), IDLE], ["a", "b"]),
    ("410 as a status", [listing("a"), Answer(b"{}", status=410), listing("b", version="9"), IDLE], ["b"]),
    ("a version from the future", [listing("a"), Answer(error(504)), listing("b", version="2"), IDLE], ["b"]),
    ("410 within a list", [listing("a", after="x"), Answer(b"{}", status=410), listing("b"), IDLE], ["b"]),
]


@pytest.mark.parametrize(("answers", "names"), [case[1:] for case in RELISTED], ids=[c[0] for c in RELISTED])
async def test_what_is_forgotten_is_listed_again(answers: list[Any], names: list[str]) -> None:
    client = Answers(*answers)
    target = Names()
    await followed_until(client, target, lambda: target.now == names)


RESUMED = [
    ("within an event", [listing("a"), Answer(HALF[:20]), Answer(HALF), IDLE], "1"),
    ("by an error within an event", [listing("a"), Answer(HALF[:20], IDLE), Answer(HALF), IDLE], "1"),
    ("after a bookmark", [listing("a"), Answer(event("", "5", "BOOKMARK")), Answer(HALF), IDLE], "5"),
    ("in chunks", [listing("a"), Answer(HALF[:9], HALF[9:30], HALF[30:]), IDLE], "1"),
    ("by a line that is no event", [listing("a"), Answer(b"<html>\n"), Answer(HALF), IDLE], "1"),
    (
        "by an event of no object",
        [listing("a"), Answer(b'{"type":"ADDED","object":[]}\n'), Answer(HALF), IDLE],
        "1",
    ),
    ("by nothing, as by an event that is nested deep", [listing("a"), Answer(DEEP), IDLE], "1"),
    ("by 500", [listing("a"), Answer(b"no", status=500), Answer(HALF), IDLE], "1"),
    ("by 429", [listing("a"), Answer(b"{}", status=429), Answer(HALF), IDLE], "1"),
]


@pytest.mark.parametrize(("answers", "version"), [case[1:] for case in RESUMED], ids=[c[0] for c in RESUMED])
async def test_a_watch_that_ends_goes_on_from_the_last_version(answers: list[Any], version: str) -> None:
    client = Answers(*answers)
    target = Names()
    await followed_until(client, target, lambda: target.now == ["a", "b"])
    assert target.lists == 1
    asked = [query["resourceVersion"] for query in client.asked if "watch" in query]
    assert asked[answers.index(next(a for a in reversed(answers) if isinstance(a, Answer))) - 1] == version


async def test_a_server_that_ends_watches_at_once_is_asked_again_soon_and_not_all_the_time() -> None:
    """Where it took them; one that refuses gets its rest."""
    client = Answers(
        listing("a"), *(Answer(status=503) for _ in range(3)), *(Answer() for _ in range(7)), IDLE
    )
    collection = Collection("Things", "/things", {})
    pauses: list[float] = []
    watch = Watch(ClusterApi(client), collection, Names(), RecordingLog(), Pauses(0.5, 60.0))
    await watch.list_once()

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 11:
            raise asyncio.CancelledError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(asyncio.CancelledError):
        patch.setattr("store_plugin.watching.watch.asyncio.sleep", noted)
        await watch.run()
    refused, ended, broken = pauses[:3], pauses[3:10], pauses[10]
    assert [pause <= due for pause, due in zip(refused, (0.5, 1, 2), strict=True)] == [True] * 3
    assert refused[2] >= 1
    assert all(pause <= 1 for pause in ended)
    assert min(ended[1:]) >= 0.5
    assert broken <= 0.5


@pytest.mark.parametrize("page", [b"", b"<html>", b"{}", b'{"items": []}'], ids=repr)
async def test_an_answer_that_is_no_list_takes_nothing_away(page: bytes) -> None:
    client = Answers(listing("a"), Answer(error(410)), Answer(page))
    target = Names()
    await followed_until(client, target, lambda: len(client.asked) > 5)
    assert target.now == ["a"]


async def followed_until(client: Answers, target: Names, condition: Any) -> None:
    collection = Collection("Things", "/things", {})
    watch = Watch(ClusterApi(client), collection, target, RecordingLog(), Pauses(0.001, 0.01))
    await watch.list_once()
    task = asyncio.create_task(watch.run())
    try:
        await until(condition)
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()


def test_pauses_grow_to_a_bound_and_differ() -> None:
    growing = Pauses(first=1.0, longest=8.0).start()
    pauses = [growing.next() for _ in range(8)]
    for pause, due in zip(pauses, [1, 2, 4, 8, 8, 8, 8, 8], strict=True):
        assert due / 2 <= pause <= due
    assert len(set(pauses)) == 8
    growing.reset()
    assert growing.next() <= 1.0
