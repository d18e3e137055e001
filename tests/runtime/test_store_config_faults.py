"""What an API server may say to the watch of StoreConfigs, where a real one cannot be made to."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from store_plugin.errors import ConfigNotFound, StoreUnavailable
from store_plugin.runtime import ThreadedStoreConfigs, WatchedStoreConfigs
from tests.support.cluster_answers import Answer, Answers, error, event, listing
from tests.support.waiting import eventually, until

IDLE = ConnectionError("cut")


def there(configs: WatchedStoreConfigs, name: str) -> bool:
    try:
        return configs.get(name).name == name
    except ConfigNotFound:
        return False


@pytest.mark.parametrize("page", [b"", b"<html>", b"{}", b'{"items": []}'], ids=repr)
async def test_an_answer_that_is_no_list_takes_no_store_config_away(page: bytes) -> None:
    client = Answers(listing("a"), Answer(error(410)), Answer(page))
    async with WatchedStoreConfigs(client) as configs:
        await until(lambda: len(client.asked) > 3)
        assert there(configs, "a")


async def test_a_version_from_the_future_is_listed_again() -> None:
    """As of a server that was restored from a backup: what is gone since is gone."""
    client = Answers(listing("a", "b"), Answer(error(504)), listing("b", version="2"), IDLE)
    async with WatchedStoreConfigs(client) as configs:
        await until(lambda: not there(configs, "a"))
        assert there(configs, "b")


@pytest.mark.parametrize(
    "line", [b"null\n", b"[]\n", b'{"type": "ADDED", "object": []}\n', b"<html>\n"], ids=repr
)
async def test_a_line_that_is_no_event_does_not_end_the_watch(line: bytes) -> None:
    client = Answers(listing("a"), Answer(line), Answer(event("b", "7")), IDLE)
    async with WatchedStoreConfigs(client) as configs:
        await until(lambda: there(configs, "b"))
        assert there(configs, "a")


async def test_more_than_a_page_is_listed_page_by_page() -> None:
    client = Answers(listing("a", after="more"), listing("b"), IDLE)
    async with WatchedStoreConfigs(client) as configs:
        assert there(configs, "a")
        assert there(configs, "b")


@pytest.mark.parametrize(
    "answer", [Answer(b"{}", status=429), Answer(b"", status=503), IDLE], ids=["429", "503", "none"]
)
async def test_a_server_that_is_busy_or_away_at_first_is_asked_again(answer: Any) -> None:
    client = Answers(answer, listing("a"), IDLE)
    async with WatchedStoreConfigs(client) as configs:
        assert there(configs, "a")


async def test_a_proxys_page_is_no_first_list() -> None:
    with pytest.raises(StoreUnavailable, match=r"no list of StoreConfigs in \S+ within \S+ s: \w"):
        async with asyncio.timeout(10):
            async with WatchedStoreConfigs(Answers(Answer(b"<html>")), synced_within=0.3):
                pass


class ClosableAnswers(Answers):
    """As a client that a source closes."""

    closed = False

    async def close(self) -> None:
        self.closed = True


def test_a_connection_that_never_comes_holds_up_no_thread_for_ever() -> None:
    async def connect() -> ClosableAnswers:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    with pytest.raises(StoreUnavailable, match=r"no client of the API server within 0\.2 s"):
        ThreadedStoreConfigs(connect, synced_within=0.2).__enter__()


def test_what_connects_and_blocks_its_loop_holds_up_no_thread_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what it comes back with in the end is closed."""
    monkeypatch.setattr("store_plugin.runtime.sources.threaded._LATE", 0.1)
    client, free = ClosableAnswers(listing("a"), IDLE), threading.Event()

    async def connect() -> ClosableAnswers:
        free.wait()
        return client

    configs = ThreadedStoreConfigs(connect, synced_within=0.1)
    with ThreadPoolExecutor(1) as threads:
        try:
            with pytest.raises(StoreUnavailable, match="does connect block its event loop"):
                threads.submit(configs.__enter__).result(20)
        finally:
            free.set()
    eventually(lambda: client.closed)


def test_a_timeout_of_what_connects_is_its_own() -> None:
    async def connect() -> ClosableAnswers:
        raise TimeoutError("the login took too long")

    with pytest.raises(TimeoutError, match="the login took too long"):
        ThreadedStoreConfigs(connect).__enter__()


def test_a_thread_hears_that_no_list_came_and_its_client_is_closed() -> None:
    client = ClosableAnswers(Answer(b"<html>"))

    async def connect() -> ClosableAnswers:
        return client

    with pytest.raises(StoreUnavailable, match="what answers is no list"):
        ThreadedStoreConfigs(connect, synced_within=0.3).__enter__()
    assert client.closed
