"""The way to a hub: what cannot work is told, and a try that failed leaves nothing behind."""

import gc
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest, NotReachable
from store_plugin.plugin.connecting.dialing import Door, channel_to, door_to, knock
from store_plugin.plugin.connecting.membership import _called

AWAY = Endpoint.parse(f"unix:///@store-plugin-tests/nobody-{uuid4().hex}")


@pytest.fixture
def uncollected() -> Iterator[None]:
    """What holds itself stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def calls() -> list[object]:
    return [one for one in gc.get_objects() if isinstance(one, grpc.aio.UnaryUnaryCall)]


async def test_a_hub_that_is_away_is_not_dialled_on_by_calls_that_are_over(uncollected: None) -> None:
    """A call that something holds keeps its channel alive, closed or not."""
    door, before = Door(AWAY), calls()
    for _ in range(3):
        channel = channel_to(AWAY.target, door)
        try:
            await knock(channel, (), "there")
            raise AssertionError("somebody answered")
        except NotReachable as error:
            assert "nobody answers at there" in error.message
        await channel.close()
    assert not [one for one in calls() if one not in before]


async def test_neither_is_a_sidecar_that_enrols(uncollected: None) -> None:
    door, before = Door(AWAY), calls()
    for _ in range(3):
        try:
            await _called(door, "/any.Service/Method", b"")
            raise AssertionError("somebody answered")
        except NotReachable as error:
            assert "nobody answers at" in error.message
    assert not [one for one in calls() if one not in before]


def test_the_path_of_a_token_is_no_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("canary")
    with pytest.raises(InvalidRequest, match=f"write Path\\('{file}'\\)") as failure:
        door_to("https://hub.example.org:8443", str(file), None, None, None, None)
    assert "canary" not in str(failure.value)
    assert door_to("https://hub.example.org:8443", file, None, None, None, None).token == file
