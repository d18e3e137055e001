"""The TCP listener: who is let in, under which name, and who is not."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from store_plugin._proto.ess_pb2 import GetSecretRequest, GetSecretResponse
from store_plugin.client import Client
from store_plugin.errors import CallerUnknown, Code, NotReachable, ScopeNotAllowed, StorePluginError
from tests.support import manifests
from tests.support.certificates import CertificateAuthority
from tests.support.ports import free_port
from tests.support.raw import SERVICE_NAMES, RawService, config, secret
from tests.support.sidecar import SidecarProcess, running_sidecar

CONFIG = "LocalConfig/files"
SPIFFE = "spiffe://cluster.local/ns/team-b/sa/provider-b"
ACCESS = [
    {"callers": ["provider-a.team-a"], "scopes": ["team-a"]},
    {"callers": [SPIFFE], "scopes": ["team-b"]},
    {"callers": ["local"], "scopes": ["shared"]},
]


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("tls")
    directory = data / "configs"
    directory.mkdir()
    manifests.local(directory, "files", data)
    manifests.local(directory, "scoped", data, access=ACCESS)
    return directory


@pytest.fixture(scope="module")
def server_certs(configs: Path, ca: CertificateAuthority) -> Path:
    return ca.server().write(configs.parent / "server")


@pytest.fixture(scope="module")
def token_file(configs: Path) -> Path:
    path = configs.parent / "token"
    path.write_text("the-token\n")
    return path


def three_endpoints(directory: Path) -> list[str]:
    """TCP, abstract, path."""
    name = uuid4().hex
    return [f"127.0.0.1:{free_port()}", f"@store-plugin-test/{name}", str(directory / f"{name[:8]}.sock")]


@pytest.fixture(scope="module")
def endpoints(configs: Path) -> list[str]:
    return three_endpoints(configs.parent)


@pytest.fixture(scope="module")
def tls_sidecar(configs: Path, server_certs: Path, endpoints: list[str]) -> Iterator[SidecarProcess]:
    with running_sidecar(configs, "--certs-dir", str(server_certs), listen=endpoints) as sidecar:
        yield sidecar


@pytest.fixture
def operator(ca: CertificateAuthority, tmp_path: Path) -> Path:
    return ca.client("operator").write(tmp_path / "operator")


@pytest.fixture
def still_serving(tls_sidecar: SidecarProcess, operator: Path) -> Iterator[None]:
    """After whatever the test did, the same process serves those who may call."""
    yield
    assert tls_sidecar.process.poll() is None
    with Client(tls_sidecar.endpoint, certs_dir=operator) as client:
        client.get(CONFIG, "after/that")


def calls_counted(sidecar: SidecarProcess) -> float:
    lines = [line for line in sidecar.http("/metrics").splitlines() if "_requests_total{" in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.parametrize("service", SERVICE_NAMES)
def test_a_certificate_of_the_ca_opens_both_services(
    tls_sidecar: SidecarProcess, ca: CertificateAuthority, service: str
) -> None:
    caller = ca.client("operator")
    credentials = grpc.ssl_channel_credentials(caller.ca, caller.key, caller.certificate)
    with grpc.secure_channel(tls_sidecar.endpoint, credentials) as channel:
        request = GetSecretRequest(config=config("files"), secret=secret("nobody/wrote"))
        assert isinstance(RawService(channel, service).call(request), GetSecretResponse)


@pytest.mark.parametrize("spelling", ["{}", "dns:///{}", "https://{}"])
def test_the_client_reads_and_writes_over_tcp(
    tls_sidecar: SidecarProcess, operator: Path, spelling: str
) -> None:
    value = spelling.encode()
    with Client(spelling.format(tls_sidecar.endpoint), certs_dir=operator) as client:
        client.apply(CONFIG, "team-a/db", {"password": value})
        assert client.get(CONFIG, "team-a/db").data == {"password": value}


Caller = Callable[[CertificateAuthority, Path], dict[str, Path]]


def without_a_certificate(ca: CertificateAuthority, directory: Path) -> dict[str, Path]:
    return {"ca_file": ca.client("operator").write(directory) / "ca.crt"}


def of_another_ca(ca: CertificateAuthority, directory: Path) -> dict[str, Path]:
    certificate, key = CertificateAuthority.create().issue(["operator"], client=True)
    ca.client("operator").write(directory)
    (directory / "tls.crt").write_bytes(certificate)
    (directory / "tls.key").write_bytes(key)
    return {"certs_dir": directory}


def expired(ca: CertificateAuthority, directory: Path) -> dict[str, Path]:
    return {"certs_dir": ca.client("operator", life=timedelta(hours=-1)).write(directory)}


@pytest.mark.usefixtures("still_serving")
@pytest.mark.parametrize("caller", [without_a_certificate, of_another_ca, expired])
def test_a_caller_without_a_valid_certificate_is_refused(
    tls_sidecar: SidecarProcess, ca: CertificateAuthority, tmp_path: Path, caller: Caller
) -> None:
    before = calls_counted(tls_sidecar)
    options = caller(ca, tmp_path / "refused")
    with (
        Client(tls_sidecar.endpoint, connect_timeout=1, **options) as client,
        pytest.raises(StorePluginError) as refused,
    ):
        client.get(CONFIG, "team-a/db")
    assert refused.value.code is Code.UNAVAILABLE
    assert calls_counted(tls_sidecar) == before


@pytest.mark.usefixtures("still_serving")
def test_plaintext_is_refused(tls_sidecar: SidecarProcess) -> None:
    before = calls_counted(tls_sidecar)
    with grpc.insecure_channel(tls_sidecar.endpoint) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(f"/{SERVICE_NAMES[0]}/GetSecret")(b"", timeout=10)
    assert isinstance(refused.value, grpc.Call)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert calls_counted(tls_sidecar) == before


def handshake(sidecar: SidecarProcess, certs: Path, version: ssl.TLSVersion) -> str | None:
    """The version agreed on, with a client that would take old ones and weak ciphers."""
    context = ssl.create_default_context(cafile=certs / "ca.crt")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(certs / "tls.crt", certs / "tls.key")
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    host, _, port = sidecar.endpoint.partition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return secured.version()


@pytest.mark.usefixtures("still_serving")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_below_1_2_is_refused(tls_sidecar: SidecarProcess, operator: Path) -> None:
    assert handshake(tls_sidecar, operator, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert handshake(tls_sidecar, operator, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    # Not NO_PROTOCOLS_AVAILABLE, which would be our own side's refusal.
    with pytest.raises(ssl.SSLError, match=r"UNEXPECTED_EOF|ALERT_PROTOCOL_VERSION"):
        handshake(tls_sidecar, operator, ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        (["provider-a.team-a"], {"team-a"}),
        ([SPIFFE], {"team-b"}),
        (["first.example.org", "provider-a.team-a", SPIFFE], {"team-a", "team-b"}),
        (["provider-a.team-a.example.org"], set()),
        (["local", "provider-a.team-a"], {"team-a"}),
    ],
    ids=["dns-name", "uri", "several-names", "longer-name", "called-local"],
)
def test_access_goes_by_the_names_in_the_certificate(
    tls_sidecar: SidecarProcess, ca: CertificateAuthority, tmp_path: Path, names: list[str], allowed: set[str]
) -> None:
    certs = ca.client(*names).write(tmp_path / "certs")
    with Client(tls_sidecar.endpoint, certs_dir=certs) as client:
        assert allowed_scopes(client) == allowed


@pytest.mark.parametrize("position", [1, 2], ids=["abstract", "path"])
def test_a_caller_on_a_socket_of_the_same_process_is_local(
    tls_sidecar: SidecarProcess, endpoints: list[str], position: int
) -> None:
    with Client(endpoints[position]) as client:
        assert allowed_scopes(client) == {"shared"}


def allowed_scopes(client: Client) -> set[str]:
    allowed = set()
    for scope in ("team-a", "team-b", "shared"):
        try:
            client.get("LocalConfig/scoped", f"{scope}/db")
        except ScopeNotAllowed:
            continue
        allowed.add(scope)
    return allowed


def test_a_certificate_without_alternative_names_is_nobody(
    tls_sidecar: SidecarProcess, ca: CertificateAuthority, tmp_path: Path
) -> None:
    certs = ca.client().write(tmp_path / "certs")
    with (
        Client(tls_sidecar.endpoint, certs_dir=certs) as client,
        pytest.raises(CallerUnknown, match="alternative name"),
    ):
        client.get(CONFIG, "team-a/db")


def test_a_certificate_that_is_only_called_local_is_nobody(
    tls_sidecar: SidecarProcess, ca: CertificateAuthority, tmp_path: Path
) -> None:
    certs = ca.client("local").write(tmp_path / "certs")
    with Client(tls_sidecar.endpoint, certs_dir=certs) as client, pytest.raises(CallerUnknown):
        client.get("LocalConfig/scoped", "shared/db")


def test_the_token_is_for_sockets_and_the_certificate_for_tcp(
    configs: Path, server_certs: Path, token_file: Path, operator: Path
) -> None:
    tcp, *sockets = three_endpoints(configs.parent)
    arguments = ["--certs-dir", str(server_certs), "--client-token-file", str(token_file)]
    with running_sidecar(configs, *arguments, listen=[*sockets, tcp]):
        for endpoint in sockets:
            with Client(endpoint, token_file=token_file) as client:
                client.get(CONFIG, "team-a/db")
            for wrong in ({}, {"token": "another-token"}):
                with Client(endpoint, **wrong) as client, pytest.raises(CallerUnknown):
                    client.get(CONFIG, "team-a/db")
        with Client(tcp, certs_dir=operator) as client:
            client.get(CONFIG, "team-a/db")
        ca_only = Client(tcp, ca_file=operator / "ca.crt", token_file=token_file, connect_timeout=1)
        with ca_only as client, pytest.raises(StorePluginError) as refused:
            client.get(CONFIG, "team-a/db")
        assert refused.value.code is Code.UNAVAILABLE


def test_a_server_of_another_ca_is_not_trusted(
    tls_sidecar: SidecarProcess, ca: CertificateAuthority, tmp_path: Path
) -> None:
    certs = ca.client("operator").write(tmp_path / "certs")
    (certs / "ca.crt").write_bytes(CertificateAuthority.create("Another CA").pem)
    with (
        Client(tls_sidecar.endpoint, certs_dir=certs, connect_timeout=1) as client,
        pytest.raises(NotReachable, match="certificate"),
    ):
        client.get(CONFIG, "team-a/db")


def test_refused_handshakes_leave_nothing_but_our_own_lines_in_the_log(
    configs: Path, server_certs: Path, ca: CertificateAuthority, tmp_path: Path
) -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    with running_sidecar(configs, "--certs-dir", str(server_certs), listen=[endpoint]) as sidecar:
        for number, caller in enumerate([without_a_certificate, of_another_ca, expired]):
            options = caller(ca, tmp_path / str(number))
            with Client(endpoint, connect_timeout=0.5, **options) as client, pytest.raises(StorePluginError):
                client.get(CONFIG, "team-a/db")
        sidecar.stop()
        assert {json.loads(line)["level"] for line in sidecar.log.splitlines()} == {"info"}
