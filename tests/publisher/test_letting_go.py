"""The way out, where an API server cannot be made to fail at the right moment."""

import json

import pytest
import structlog

from store_plugin.errors import StoreUnavailable
from store_plugin.publisher.letting_go import _let_go_in
from store_plugin.publisher.wishes.annotations import FINALIZER
from tests.support.cluster_answers import Answer, Answers

HELD = {"metadata": {"namespace": "ns", "name": "db", "resourceVersion": "1", "finalizers": [FINALIZER]}}
LET_GO = Answer(json.dumps({"metadata": {"resourceVersion": "2"}}).encode())
BUSY, TOOK_TOO_LONG = Answer(b"{}", status=503), Answer(b"{}", status=410)


def page(*, after: str = "") -> Answer:
    return Answer(
        json.dumps({"metadata": {"resourceVersion": "1", "continue": after}, "items": [HELD]}).encode()
    )


async def test_a_secret_that_is_let_go_at_the_second_try_is_no_failure() -> None:
    client = Answers(page(after="more"), BUSY, TOOK_TOO_LONG, page(), LET_GO)
    await _let_go_in(client, None, structlog.get_logger())
    assert len(client.asked) == 5


async def test_a_secret_that_keeps_its_finalizer_is_told_in_the_end() -> None:
    client = Answers(page(), BUSY)
    with pytest.raises(StoreUnavailable):
        await _let_go_in(client, None, structlog.get_logger())
