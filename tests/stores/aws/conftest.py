from collections.abc import Iterator

import pytest

from tests.support import moto as moto_support
from tests.support.moto import Moto, forget_identity


@pytest.fixture(scope="session")
def moto_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """AWS on loopback. Tests use prefixes of their own."""
    with moto_support.server(tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture
def moto(moto_process: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    """The server, without faults and with an empty record of calls; KMS is there too. The
    faults that the test asked for and did not use up end with it: others use the server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", moto_process.address)
    moto_process.clear()
    yield moto_process
    moto_process.clear()


@pytest.fixture(autouse=True)
def _no_identity_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_identity(monkeypatch)
