"""Which event loops and which HTTP clients the tests here run on, and how patiently they end."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from tests.stores.vault import opening

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """What has connections of its own is tested on both loops: they differ below asyncio's interface."""
    if item.nodeid.partition("::")[0].endswith("test_http_lean.py"):
        return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.SelectorEventLoop}


@pytest.fixture
def unhurried_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is closed waits for its token to be revoked, however long the server takes."""
    monkeypatch.setattr("stores.vault.session.session._CLOSE_SECONDS", 60.0)


@pytest.fixture(params=["Lean", "Aiohttp"])
def both_clients(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores are opened with one client, and once more with the other."""
    monkeypatch.setattr(opening, "HTTP_CLIENT", request.param)
