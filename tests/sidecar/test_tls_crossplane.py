"""Certificates of Crossplane's own making work, as docs/wire.md says they do.

The namespace is `localhost`, so that `ess.localhost` stands for `ess.<namespace>`: a name
that needs no name server.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from store_plugin._proto.ess_pb2 import GetSecretRequest, GetSecretResponse
from store_plugin.client import Client
from store_plugin.errors import Code, NotReachable, RemoteError
from tests.support import manifests
from tests.support.crossplane import CrossplaneAuthority
from tests.support.ports import free_port
from tests.support.raw import SERVICE_NAMES, RawService, config, secret
from tests.support.sidecar import SidecarProcess, running_sidecar

CONFIG = "LocalConfig/files"
NAMESPACE = "localhost"
NAME = f"ess.{NAMESPACE}"
WIRE = Path(__file__).parents[2] / "docs" / "wire.md"


@pytest.fixture(scope="module")
def crossplane() -> CrossplaneAuthority:
    return CrossplaneAuthority()


@pytest.fixture(scope="module")
def sidecar(
    tmp_path_factory: pytest.TempPathFactory, crossplane: CrossplaneAuthority
) -> Iterator[SidecarProcess]:
    data = tmp_path_factory.mktemp("crossplane")
    directory = data / "configs"
    directory.mkdir()
    manifests.local(directory, "files", data)
    manifests.local(directory, "theirs", data, access=[{"callers": ["crossplane.crossplane-system"]}])
    certs = crossplane.server(NAMESPACE).write(data / "certs")
    endpoint = f"127.0.0.1:{free_port()}"
    with running_sidecar(directory, "--certs-dir", str(certs), listen=[endpoint]) as process:
        yield process


@pytest.fixture(scope="module")
def caller(crossplane: CrossplaneAuthority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crossplane.client("crossplane.crossplane-system").write(tmp_path_factory.mktemp("caller"))


def test_our_client_works_with_the_name_of_the_server(sidecar: SidecarProcess, caller: Path) -> None:
    with Client(sidecar.endpoint, certs_dir=caller, server_name=NAME) as client:
        client.apply(CONFIG, "team-a/db", {"k": b"v"})
        assert client.get(CONFIG, "team-a/db").data == {"k": b"v"}


def test_the_name_in_the_callers_certificate_counts(sidecar: SidecarProcess, caller: Path) -> None:
    with Client(sidecar.endpoint, certs_dir=caller, server_name=NAME) as client:
        client.get("LocalConfig/theirs", "team-a/db")


@pytest.mark.parametrize("name", ["ess.elsewhere", f"a.b.{NAMESPACE}", NAMESPACE])
def test_the_name_is_compared_all_the_same(sidecar: SidecarProcess, caller: Path, name: str) -> None:
    with (
        Client(sidecar.endpoint, certs_dir=caller, server_name=name, connect_timeout=0.5) as client,
        pytest.raises(NotReachable),
    ):
        client.get(CONFIG, "team-a/db")


@pytest.mark.parametrize("service", SERVICE_NAMES)
def test_any_client_on_c_core_works_with_the_channel_option(
    sidecar: SidecarProcess, caller: Path, service: str
) -> None:
    ca, certificate, key = ((caller / name).read_bytes() for name in ("ca.crt", "tls.crt", "tls.key"))
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    options = [("grpc.ssl_target_name_override", NAME)]
    with grpc.secure_channel(sidecar.endpoint, credentials, options) as channel:
        request = GetSecretRequest(config=config("files"), secret=secret("nobody/wrote"))
        assert isinstance(RawService(channel, service).call(request), GetSecretResponse)


def test_without_it_each_call_fails_as_the_document_says(sidecar: SidecarProcess, caller: Path) -> None:
    port = sidecar.endpoint.rpartition(":")[2]
    with Client(f"{NAME}:{port}", certs_dir=caller) as client:
        for _ in range(2):
            with pytest.raises(RemoteError) as refused:
                client.get(CONFIG, "team-a/db")
            assert refused.value.code is Code.UNAUTHENTICATED
            assert f'`UNAUTHENTICATED`, "{refused.value.message}"' in WIRE.read_text()


CALL = """
import sys
from store_plugin.client import Client
with Client(sys.argv[1], certs_dir=sys.argv[2], server_name=sys.argv[3]) as client:
    client.get("LocalConfig/files", "team-a/db")
"""


def test_grpc_itself_writes_nothing_into_the_sidecars_log(sidecar: SidecarProcess, caller: Path) -> None:
    """The same handshake is noisy where nobody has silenced gRPC: in a client of its own."""
    environ = {key: value for key, value in os.environ.items() if key != "GRPC_VERBOSITY"}
    command = [sys.executable, "-c", CALL, sidecar.endpoint, str(caller), NAME]
    called = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=100, check=True)
    assert "ssl_transport_security" in called.stderr
    assert sidecar.log
    for line in sidecar.log.splitlines():
        json.loads(line)
