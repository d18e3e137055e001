"""Which cluster it is: asked until there is an answer, and told where there is none to come."""

import json
from typing import Any

import pytest
import structlog

from store_plugin.errors import ConfigInvalid
from store_plugin.publisher.app import _cluster_id
from tests.support.cluster_answers import Answer, Answers
from tests.support.virtual_time import virtually

SYSTEM = Answer(json.dumps({"metadata": {"uid": "uid-1"}}).encode())


def asked(*answers: Any) -> str:
    return virtually(_cluster_id(Answers(*answers), structlog.get_logger()))


@pytest.mark.parametrize(
    "answer",
    [Answer(b"{}", status=429), Answer(b"{}", status=503), ConnectionError("refused")],
    ids=["busy", "failing", "away"],
)
def test_an_api_server_that_cannot_answer_just_now_is_asked_again(answer: Any) -> None:
    assert asked(answer, answer, SYSTEM) == "uid-1"


@pytest.mark.parametrize(("status", "told"), [(403, "allow get on it"), (404, "set --cluster-id")])
def test_what_does_not_pass_by_itself_is_told(status: int, told: str) -> None:
    with pytest.raises(ConfigInvalid, match=told):
        asked(Answer(b"{}", status=status))
