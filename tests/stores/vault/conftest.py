"""Which event loops and which HTTP clients the tests here run on."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from tests.stores.vault import opening
from tests.support import ldap
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao, dev_server, stored_server
from tests.support.sts import GuardedSTS, guarded_sts
from tests.support.tools import tool

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """What has connections of its own is tested on both loops: they differ below asyncio's interface."""
    if item.nodeid.partition("::")[0].endswith("test_http_lean.py"):
        return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.SelectorEventLoop}


@pytest.fixture(scope="session")
def tls_bao(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server whose certificate is for an address and the name vault.internal."""
    certificate = ca.issue(["vault.internal", "127.0.0.1"])
    with stored_server(tmp_path_factory.mktemp("tls-bao"), certificate=certificate, ca=ca.pem) as server:
        yield server


@pytest.fixture(scope="session")
def plugin_bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server with the logins that OpenBao has left out."""
    plugins = [tool("vault-plugin-auth-aws"), tool("vault-plugin-auth-ldap")]
    with dev_server(tmp_path_factory.mktemp("plugin-bao"), plugins=plugins) as server:
        yield server


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an LDAP server."""
    with ldap.server(tmp_path_factory.mktemp("ldap")) as address:
        yield address


@pytest.fixture(scope="session")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedSTS]:
    with guarded_sts(tmp_path_factory.mktemp("sts")) as server:
        yield server


@pytest.fixture(params=["Lean", "Aiohttp"])
def both_clients(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores are opened with one client, and once more with the other."""
    monkeypatch.setattr(opening, "HTTP_CLIENT", request.param)
