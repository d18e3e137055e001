"""Both clients behind one face, so that each behaviour is proved for both."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from store_plugin.client import AsyncClient, Client
from tests.client.ess_server import EssServer, serving


class Awaited:
    """An AsyncClient whose calls are run to their end on a loop of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*arguments, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            return await method(*arguments, **options)

        return lambda *arguments, **options: self._runner.run(call(*arguments, **options))

    def __enter__(self) -> "Awaited":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._runner.close()


MakeClient = Callable[..., Any]


@pytest.fixture(params=[Client, Awaited], ids=["threads", "asyncio"])
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
