"""The command line against a small ESS server, in this process."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from store_plugin.cli._app import cli
from tests.client.ess_server import EssServer, serving

Run = Callable[..., Result]


@pytest.fixture
def endpoint() -> str:
    return f"unix:///@store-plugin-test/{uuid4().hex}"


@pytest.fixture
def server(endpoint: str) -> Iterator[EssServer]:
    with serving(endpoint) as running:
        yield running


@pytest.fixture
def run(endpoint: str) -> Run:
    """Runs a command line; the result's `output` is both streams, as on a terminal."""

    def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
        environ = {"STORE_PLUGIN_ENDPOINT": endpoint, "STORE_PLUGIN_CONNECT_TIMEOUT": "30"}
        return CliRunner().invoke(cli, arguments, input=stdin, env=environ)

    return invoke
