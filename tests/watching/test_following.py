"""Entering a watch and leaving it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from store_plugin.cluster_api import ClusterApi
from store_plugin.errors import ConfigInvalid, StoreDenied, StoreUnavailable
from store_plugin.watching.following import Following
from store_plugin.watching.requests import Collection, Event
from tests.support.cluster_answers import Answer, Answers, event, listing
from tests.support.fakes import RecordingLog
from tests.support.virtual_time import virtually

VERSIONS = [Collection(f"Things in {name}", f"/{name}/things", {}, advice="none") for name in ("v2", "v1")]
IDLE = ConnectionError("cut")
NO_SUCH_KIND = Answer(b"{}", status=404)


class Names:
    """A target that keeps names and breaks at one of them."""

    def __init__(self) -> None:
        self.now: list[str] = []

    async def listed(self, pages: AsyncIterator[list[Any]]) -> None:
        self.now = [item["metadata"]["name"] async for page in pages for item in page]

    async def changed(self, events: list[Event]) -> None:
        for one in events:
            if one.object["metadata"]["name"] == "bad":
                raise KeyError("bad")


def following(*answers: Any, **how: Any) -> tuple[Following, Names]:
    target = Names()
    return Following(ClusterApi(Answers(*answers)), VERSIONS, target, RecordingLog(), **how), target


async def test_the_first_version_that_the_server_has_is_followed() -> None:
    it, target = following(NO_SUCH_KIND, listing("a"), IDLE)
    await it.start(10)
    assert it.started
    assert target.now == ["a"]
    await it.stop()
    assert not it.started


async def test_a_server_that_has_none_is_told_at_once() -> None:
    it, _ = following(NO_SUCH_KIND, NO_SUCH_KIND)
    with pytest.raises(ConfigInvalid, match="no Things in v1: none"):
        await it.start(10)
    assert not it.started


async def test_who_may_not_list_one_version_is_not_asked_for_another() -> None:
    it, _ = following(Answer(b"{}", status=403), listing("a"))
    with pytest.raises(StoreDenied, match="may not list Things in v2"):
        await it.start(10)


def test_what_kept_it_from_listing_in_time_is_told() -> None:
    async def start() -> None:
        it, _ = following(Answer(b'{"reason": "Busy"}', status=500))
        await it.start(20)

    with pytest.raises(
        StoreUnavailable, match=r"no list of Things in v2 within 20 s: .* could not list .* 500 Busy"
    ):
        virtually(start())


async def test_what_ends_a_watch_is_a_bug_and_comes_out_at_the_next_check() -> None:
    ended = asyncio.Event()
    it, _ = following(listing("a"), Answer(event("bad", "7")), IDLE, ended=ended.set)
    await it.start(10)
    async with asyncio.timeout(10):
        await ended.wait()
    with pytest.raises(KeyError):
        it.check()
    await it.stop()
    it.check()


async def test_stopping_what_never_started_is_nothing() -> None:
    it, _ = following()
    await it.stop()
    it.check()
