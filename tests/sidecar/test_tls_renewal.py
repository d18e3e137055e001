"""Certificates and connections are renewed while calls go on."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives import serialization

from store_plugin.client import Client
from store_plugin.errors import NotReachable, StorePluginError
from tests.support import manifests
from tests.support.certificates import Bundle, CertificateAuthority
from tests.support.ports import free_port
from tests.support.sidecar import PROGRAM, SidecarProcess, running_sidecar
from tests.support.waiting import eventually

CONFIG = "LocalConfig/files"
NOT_RENEWED = "certificates not renewed"


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory = tmp_path / "configs"
    directory.mkdir()
    manifests.local(directory, "files", tmp_path)
    return directory


@dataclass
class TlsSidecar:
    """A sidecar, its certificates, and a client's beside it."""

    process: SidecarProcess
    certs: Path
    operator: Path

    @property
    def endpoint(self) -> str:
        return self.process.endpoint

    def client(self, certs: Path | None = None) -> Client:
        return Client(self.endpoint, certs_dir=certs or self.operator, connect_timeout=20)

    def call_anew(self, certs: Path | None = None) -> None:
        """One call on a connection of its own."""
        with self.client(certs) as client:
            client.get(CONFIG, "team-a/db")

    def refuse_anew(self) -> None:
        """The same, which does not come to stand."""
        with (
            Client(self.endpoint, certs_dir=self.operator, connect_timeout=2) as client,
            pytest.raises(NotReachable),
        ):
            client.get(CONFIG, "team-a/db")

    def shown(self) -> str:
        """The certificate that a new connection gets, as PEM."""
        context = ssl.create_default_context(cafile=self.operator / "ca.crt")
        context.load_cert_chain(self.operator / "tls.crt", self.operator / "tls.key")
        context.set_alpn_protocols(["h2"])
        host, _, port = self.endpoint.partition(":")
        with (
            socket.create_connection((host, int(port)), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            der = secured.getpeercert(binary_form=True)
        assert der is not None
        return ssl.DER_cert_to_PEM_cert(der)


@pytest.fixture
def mounted(tmp_path: Path, ca: CertificateAuthority) -> Path:
    """The server's certificates as Kubernetes mounts a Secret."""
    mount = tmp_path / "mounted"
    swap(mount, ca.server())
    for name in ("ca.crt", "tls.crt", "tls.key"):
        (mount / name).symlink_to(Path("..data") / name)
    return mount


def swap(mount: Path, bundle: Bundle) -> None:
    """All files at once, by the link that leads to them."""
    version = f"..version-{len(list(mount.glob('..version-*')))}"
    bundle.write(mount / version)
    (mount / "..next").symlink_to(version)
    (mount / "..next").rename(mount / "..data")


def serving(configs: Path, certs: Path, ca: CertificateAuthority, *arguments: str) -> Iterator[TlsSidecar]:
    operator = ca.client("operator").write(configs.parent / "operator")
    listen = [f"127.0.0.1:{free_port()}"]
    with running_sidecar(configs, "--certs-dir", str(certs), *arguments, listen=listen) as process:
        yield TlsSidecar(process, certs, operator)


@pytest.fixture
def sidecar(configs: Path, tmp_path: Path, ca: CertificateAuthority) -> Iterator[TlsSidecar]:
    yield from serving(configs, ca.server().write(tmp_path / "certs"), ca)


@pytest.fixture
def mounted_sidecar(configs: Path, mounted: Path, ca: CertificateAuthority) -> Iterator[TlsSidecar]:
    yield from serving(configs, mounted, ca)


def same(pem: str, other: bytes) -> bool:
    return pem.split() == other.decode().split()


def test_replaced_files_are_used_for_the_next_connection(
    sidecar: TlsSidecar, ca: CertificateAuthority
) -> None:
    for _ in range(3):
        renewed = ca.server()
        renewed.write(sidecar.certs)
        assert same(sidecar.shown(), renewed.certificate)
        sidecar.call_anew()
    assert sidecar.process.log.count("certificates renewed") == 3


def test_a_swapped_mount_is_used_for_the_next_connection(
    mounted_sidecar: TlsSidecar, ca: CertificateAuthority
) -> None:
    for _ in range(3):
        renewed = ca.server()
        swap(mounted_sidecar.certs, renewed)
        assert same(mounted_sidecar.shown(), renewed.certificate)
        mounted_sidecar.call_anew()
    assert mounted_sidecar.process.log.count("certificates renewed") == 3


def test_touched_files_are_no_renewal(sidecar: TlsSidecar) -> None:
    for name in ("ca.crt", "tls.crt", "tls.key"):
        (sidecar.certs / name).touch()
    sidecar.call_anew()
    assert "certificates renewed" not in sidecar.process.log


def test_another_ca_counts_for_new_connections_and_old_ones_go_on(
    sidecar: TlsSidecar, tmp_path: Path
) -> None:
    other = CertificateAuthority.create("Next CA")
    newcomer = other.client("operator").write(tmp_path / "newcomer")
    with sidecar.client() as connected:
        connected.apply(CONFIG, "team-a/db", {"k": b"1"})
        other.server().write(sidecar.certs)
        sidecar.call_anew(newcomer)
        sidecar.refuse_anew()
        connected.apply(CONFIG, "team-a/db", {"k": b"2"})
        assert connected.get(CONFIG, "team-a/db").data == {"k": b"2"}


def test_a_new_certificate_waits_for_its_key(sidecar: TlsSidecar, ca: CertificateAuthority) -> None:
    before, renewed = (sidecar.certs / "tls.crt").read_bytes(), ca.server()
    (sidecar.certs / "tls.crt").write_bytes(renewed.certificate)
    for _ in range(3):
        assert same(sidecar.shown(), before)
        sidecar.call_anew()
    assert sidecar.process.log.count(NOT_RENEWED) == 1
    (sidecar.certs / "tls.key").write_bytes(renewed.key)
    assert same(sidecar.shown(), renewed.certificate)
    sidecar.call_anew()


def a_missing_key(certs: Path) -> None:
    (certs / "tls.key").unlink()


def an_empty_certificate(certs: Path) -> None:
    (certs / "tls.crt").write_bytes(b"")


def half_a_key(certs: Path) -> None:
    key = (certs / "tls.key").read_bytes()
    (certs / "tls.key").write_bytes(key[: len(key) // 2])


def a_key_with_a_password(certs: Path) -> None:
    key = serialization.load_pem_private_key((certs / "tls.key").read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"password")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    (certs / "tls.key").write_bytes(pem)


def a_ca_that_is_none(certs: Path) -> None:
    (certs / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def a_directory_that_is_gone(certs: Path) -> None:
    certs.rename(certs.with_name("gone"))


Spoil = Callable[[Path], None]
SPOILS = [
    a_missing_key,
    an_empty_certificate,
    half_a_key,
    a_key_with_a_password,
    a_ca_that_is_none,
    a_directory_that_is_gone,
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_files_that_cannot_be_used_leave_the_last_ones_in_use(
    sidecar: TlsSidecar, ca: CertificateAuthority, spoil: Spoil
) -> None:
    before = (sidecar.certs / "tls.crt").read_bytes()
    key = (sidecar.certs / "tls.key").read_text()
    spoil(sidecar.certs)
    for _ in range(2):
        assert same(sidecar.shown(), before)
        sidecar.call_anew()
    log = sidecar.process.log
    assert log.count(NOT_RENEWED) == 1
    assert not any(line in log for line in key.splitlines())
    mended = ca.server()
    mended.write(sidecar.certs)
    assert same(sidecar.shown(), mended.certificate)


def a_key_of_another_certificate(certs: Path) -> None:
    (certs / "tls.key").write_bytes(CertificateAuthority.create().server().key)


@pytest.mark.parametrize("spoil", [a_key_of_another_certificate, *SPOILS])
def test_a_sidecar_does_not_start_with_files_that_cannot_be_used(
    configs: Path, tmp_path: Path, ca: CertificateAuthority, spoil: Spoil
) -> None:
    certs = ca.server().write(tmp_path / "certs")
    spoil(certs)
    command = [PROGRAM, "serve", "--config-dir", str(configs), "--certs-dir", str(certs)]
    command += ["--listen", f"127.0.0.1:{free_port()}", "--admin-listen", "127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1
    assert "tls.key" in ended.stderr or "do not belong together" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "PRIVATE KEY" not in ended.stderr


@pytest.fixture
def aging(configs: Path, tmp_path: Path, ca: CertificateAuthority) -> Iterator[TlsSidecar]:
    yield from serving(configs, ca.server().write(tmp_path / "certs"), ca, "--max-connection-age", "1")


def test_connections_are_renewed_without_a_failed_call(aging: TlsSidecar) -> None:
    """Several callers without a pause, over one channel, while it is renewed four times."""
    port = int(aging.endpoint.rpartition(":")[2])
    used: set[int] = set()
    calls, failures = [0] * 4, list[StorePluginError]()
    enough = threading.Event()

    def keep_calling(caller: int) -> None:
        while not enough.is_set() and not failures:
            calls[caller] += 1
            try:
                client.apply(CONFIG, f"aging/{caller}", {"count": b"%d" % calls[caller]})
            except StorePluginError as error:
                failures.append(error)

    def renewed_often() -> bool:
        used.update(c.laddr.port for c in psutil.Process().net_connections("tcp") if port in c.raddr)
        return len(used) > 4 or bool(failures)

    with aging.client() as client:
        callers = [threading.Thread(target=keep_calling, args=(number,)) for number in range(4)]
        for thread in callers:
            thread.start()
        try:
            eventually(renewed_often, within=60)
        finally:
            enough.set()
            for thread in callers:
                thread.join()
        assert failures == []
        for caller, count in enumerate(calls):
            assert client.get(CONFIG, f"aging/{caller}").data == {"count": b"%d" % count}
