"""Endpoints, tokens and certificates."""

import os
import socket
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message

from store_plugin._proto import ess_pb2
from store_plugin.client import Client
from store_plugin.client._connection import Connection
from store_plugin.endpoints import Endpoint
from store_plugin.errors import CallerUnknown, InvalidRequest, NotReachable
from tests.client.conftest import MakeClient
from tests.client.ess_server import EssServer, serving
from tests.support.certificates import CertificateAuthority

CONFIG = "LocalConfig/files"
TOKEN = "canary-4f1d-token"


@pytest.mark.parametrize("spelling", ["unix:///@{}", "unix:@{}", "unix-abstract:{}", "@{}"])
def test_every_spelling_of_an_abstract_socket_reaches_it(make_client: MakeClient, spelling: str) -> None:
    name = f"store-plugin-test/{uuid4().hex}"
    with serving(f"unix:///@{name}") as server:
        make_client(spelling.format(name)).get(CONFIG, "team-a/db")
        assert server.methods() == ["GetSecret"]


@pytest.mark.parametrize("spelling", ["unix://{}", "unix:{}", "{}"])
def test_every_spelling_of_a_path_socket_reaches_it(
    make_client: MakeClient, tmp_path: Path, spelling: str
) -> None:
    path = tmp_path / "ess.sock"
    with serving(f"unix://{path}") as server:
        make_client(spelling.format(path)).get(CONFIG, "team-a/db")
        assert server.methods() == ["GetSecret"]


@pytest.mark.parametrize("spelling", ["dns:///localhost:{}", "https://localhost:{}", "localhost:{}"])
def test_every_spelling_of_a_tcp_endpoint_reaches_it(
    make_client: MakeClient, tls_server: EssServer, certs_dir: Path, spelling: str
) -> None:
    make_client(spelling.format(tls_server.port), certs_dir=certs_dir).get(CONFIG, "team-a/db")
    assert tls_server.methods() == ["GetSecret"]


def test_sockets_are_called_localhost(client: Any, server: EssServer) -> None:
    """Strict HTTP/2 servers refuse the percent-encoded path that gRPC would send."""
    authorities: list[str] = []

    def answer(_request: Message, context: Any) -> Message:
        authorities.append(context._rpc_event.call_details.host.decode())
        return ess_pb2.GetSecretResponse()

    server.answers["GetSecret"] = answer
    client.get(CONFIG, "team-a/db")
    assert authorities == ["localhost"]


@pytest.mark.parametrize(
    ("endpoint", "options", "saying"),
    [
        ("nonsense", {}, "not an endpoint"),
        ("localhost:4040", {}, "certs_dir"),
        ("unix:///@x", {"certs_dir": "/certs"}, "takes no certificates"),
        ("localhost:4040", {"cert_file": "/c", "key_file": "/k"}, "need ca_file"),
        ("localhost:4040", {"ca_file": "/ca", "cert_file": "/c"}, "belong together"),
        ("unix:///@x", {"token": "a", "token_file": "/b"}, "not both"),
        ("unix:///@x", {"timeout": 0}, "above 0"),
        ("unix:///@x", {"connect_timeout": -1}, "above 0"),
        ("unix:///@x", {"timeout": nan}, "above 0"),
        ("unix:///@x", {"connect_timeout": nan}, "above 0"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    endpoint: str, options: dict[str, Any], saying: str
) -> None:
    with pytest.raises(InvalidRequest, match=saying):
        Client(endpoint, **options)


# Tokens.


def shown(server: EssServer) -> list[str | bytes | None]:
    return [call.metadata.get("authorization") for call in server.received]


def test_token_is_shown_with_each_call(make_client: MakeClient, endpoint: str, server: EssServer) -> None:
    client = make_client(endpoint, token=TOKEN)
    client.get(CONFIG, "team-a/db")
    client.delete(CONFIG, "team-a/db")
    assert shown(server) == [f"Bearer {TOKEN}"] * 2


def test_without_a_token_none_is_shown(client: Any, server: EssServer) -> None:
    client.get(CONFIG, "team-a/db")
    assert shown(server) == [None]


def test_rotated_token_file_is_followed(
    make_client: MakeClient, endpoint: str, server: EssServer, tmp_path: Path
) -> None:
    """Written in place, then swapped as the kubelet does it."""
    file = tmp_path / "token"
    file.write_text(" first\n")
    client = make_client(endpoint, token_file=file)
    client.get(CONFIG, "team-a/db")
    file.write_text("second-one\n")
    client.get(CONFIG, "team-a/db")
    beside = tmp_path / "beside"
    beside.write_text("third-name\n")
    os.utime(beside, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    beside.rename(file)
    client.get(CONFIG, "team-a/db")
    assert shown(server) == ["Bearer first", "Bearer second-one", "Bearer third-name"]


@pytest.mark.parametrize(
    ("content", "saying"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"  \n", "empty"),
        (f"{TOKEN}\n{TOKEN}".encode(), "cannot carry"),
        (f"{TOKEN}\xff".encode("latin-1"), "not ASCII"),
    ],
    ids=["missing", "empty", "blank", "two lines", "binary"],
)
def test_unusable_token_file_sends_nothing_and_shows_nothing(
    make_client: MakeClient,
    endpoint: str,
    server: EssServer,
    tmp_path: Path,
    content: bytes | None,
    saying: str,
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CallerUnknown, match=saying) as caught:
        make_client(endpoint, token_file=file).get(CONFIG, "team-a/db")
    assert TOKEN not in str(caught.value)
    assert server.received == []


# Certificates.


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority.create()


def write_certs(directory: Path, authority: CertificateAuthority, ca: bytes | None = None) -> Path:
    certificate, key = authority.issue(["operator"], client=True)
    directory.mkdir(exist_ok=True)
    (directory / "ca.crt").write_bytes(ca or authority.pem)
    (directory / "tls.crt").write_bytes(certificate)
    (directory / "tls.key").write_bytes(key)
    return directory


@pytest.fixture
def certs_dir(tmp_path: Path, authority: CertificateAuthority) -> Path:
    return write_certs(tmp_path / "certs", authority)


def server_credentials(authority: CertificateAuthority, *names: str) -> grpc.ServerCredentials:
    certificate, key = authority.issue(names or ("localhost", "127.0.0.1"))
    return grpc.ssl_server_credentials([(key, certificate)], authority.pem, require_client_auth=True)


@pytest.fixture
def tls_server(authority: CertificateAuthority) -> Any:
    with serving("127.0.0.1:0", server_credentials(authority)) as server:
        yield server


def test_single_files_replace_those_of_the_directory(
    make_client: MakeClient, tls_server: EssServer, certs_dir: Path, tmp_path: Path
) -> None:
    ca = (certs_dir / "ca.crt").rename(tmp_path / "other-ca.crt")
    make_client(f"127.0.0.1:{tls_server.port}", certs_dir=certs_dir, ca_file=ca).get(CONFIG, "team-a/db")
    assert tls_server.methods() == ["GetSecret"]


def test_server_name_stands_for_the_host(
    make_client: MakeClient, authority: CertificateAuthority, certs_dir: Path
) -> None:
    """Crossplane's certificate names `*.namespace`, which fits no address here."""
    with serving("127.0.0.1:0", server_credentials(authority, "ess.crossplane-system")) as server:
        target = f"127.0.0.1:{server.port}"
        client = make_client(target, certs_dir=certs_dir, server_name="ess.crossplane-system")
        client.get(CONFIG, "team-a/db")
        assert server.methods() == ["GetSecret"]


def with_another_ca(authority: CertificateAuthority, directory: Path) -> None:
    write_certs(directory, authority, ca=CertificateAuthority.create("Another CA").pem)


def with_a_stranger(authority: CertificateAuthority, directory: Path) -> None:
    write_certs(directory, CertificateAuthority.create("Stranger"), ca=authority.pem)


Spoil = Callable[[CertificateAuthority, Path], None]


@pytest.mark.parametrize("spoil", [with_another_ca, with_a_stranger])
def test_refused_handshake_is_told_as_not_reachable(
    make_client: MakeClient,
    authority: CertificateAuthority,
    tls_server: EssServer,
    certs_dir: Path,
    spoil: Spoil,
) -> None:
    spoil(authority, certs_dir)
    target = f"127.0.0.1:{tls_server.port}"
    with pytest.raises(NotReachable, match="certificate"):
        make_client(target, certs_dir=certs_dir, connect_timeout=1).get(CONFIG, "team-a/db")
    assert tls_server.received == []


@pytest.mark.parametrize("spoil", [with_another_ca, with_a_stranger])
def test_renewed_certificates_are_used_for_the_next_connection(
    make_client: MakeClient,
    authority: CertificateAuthority,
    tls_server: EssServer,
    certs_dir: Path,
    spoil: Spoil,
) -> None:
    """Also by the client that failed with the old ones."""
    spoil(authority, certs_dir)
    client = make_client(f"127.0.0.1:{tls_server.port}", certs_dir=certs_dir, connect_timeout=3)
    with pytest.raises(NotReachable):
        client.get(CONFIG, "team-a/db")
    write_certs(certs_dir, authority)
    client.get(CONFIG, "team-a/db")
    assert tls_server.methods() == ["GetSecret"]


def test_missing_certificate_files_are_named(make_client: MakeClient, tmp_path: Path) -> None:
    with pytest.raises(NotReachable, match=r"ca\.crt.*No such file"):
        make_client("localhost:1", certs_dir=tmp_path).get(CONFIG, "team-a/db")


def test_nobody_listening_on_tcp_is_told_within_the_connect_budget(
    make_client: MakeClient, certs_dir: Path
) -> None:
    with pytest.raises(NotReachable, match=r"127\.0\.0\.1:1"):
        make_client("127.0.0.1:1", certs_dir=certs_dir, connect_timeout=0.5).get(CONFIG, "team-a/db")


def test_unknown_host_is_told_as_not_reachable(make_client: MakeClient, certs_dir: Path) -> None:
    client = make_client("no-such-host.invalid:4040", certs_dir=certs_dir, connect_timeout=0.5)
    with pytest.raises(NotReachable, match="DNS"):
        client.get(CONFIG, "team-a/db")


def test_a_silent_name_server_is_waited_for_within_the_connect_budget(
    make_client: MakeClient, certs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        asking_it = f"dns://127.0.0.1:{silent.getsockname()[1]}/sidecar.example:4040"
        monkeypatch.setattr(Endpoint, "target", asking_it)
        client = make_client("sidecar.example:4040", certs_dir=certs_dir, connect_timeout=0.5, timeout=8)
        with pytest.raises(NotReachable, match="DNS"):
            client.get(CONFIG, "team-a/db")
        silent.settimeout(10)
        assert silent.recv(512), "it was asked"


def test_proxies_of_the_environment_are_not_used() -> None:
    connection = Connection(Endpoint.parse("@x"), None, None, None, 30, 5)
    assert ("grpc.enable_http_proxy", 0) in connection.options()
