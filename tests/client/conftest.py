"""Both clients behind one face, so that each behaviour is proved for both."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from store_plugin.client import AsyncClient, Client
from tests.client.ess_server import EssServer, serving
from tests.support.awaited import Awaited

MakeClient = Callable[..., Any]


def _awaited(*arguments: Any, **options: Any) -> Awaited:
    return Awaited(lambda: AsyncClient(*arguments, **options))


@pytest.fixture(params=[Client, _awaited], ids=["threads", "asyncio"])
def make_client(request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """Makes clients of either kind, and closes them."""
    with ExitStack() as opened:
        yield lambda *arguments, **options: opened.enter_context(request.param(*arguments, **options))


@pytest.fixture
def endpoint() -> str:
    return f"unix:///@store-plugin-test/{uuid4().hex}"


@pytest.fixture
def server(endpoint: str) -> Iterator[EssServer]:
    with serving(endpoint) as running:
        yield running


@pytest.fixture
def client(make_client: MakeClient, endpoint: str, server: EssServer) -> Any:
    return make_client(endpoint)
