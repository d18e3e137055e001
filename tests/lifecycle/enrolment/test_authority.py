"""The CA: who signs, who is trusted, and what is taken of a request."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from store_plugin.enrolment import PluginInstance
from store_plugin.errors import ConfigInvalid, InvalidRequest, StoreUnavailable
from store_plugin.lifecycle.enrolment.authority import FOLLOWED_AFTER, Authority
from tests.lifecycle.enrolment.conftest import HandClock, request

ECHO = PluginInstance("echo", "1.0-ab12")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def certificate(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def good(shown: bytes, trusted: bytes, clock: HandClock) -> bool:
    """Whether a TLS server that trusts so many would take it from a client."""
    store = Store(x509.load_pem_x509_certificates(trusted))
    verifier = PolicyBuilder().store(store).time(clock().replace(tzinfo=None)).build_client_verifier()
    try:
        verifier.verify(certificate(shown), [])
    except VerificationError:
        return False
    return True


def test_a_certificate_names_the_plugin_and_its_instance_for_a_day(
    authority: Authority, clock: HandClock
) -> None:
    issued = authority.issue(ECHO, request())
    found = certificate(issued.certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["echo.plugin"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["store-plugin://echo/1.0-ab12"]
    assert PluginInstance.from_uri(ECHO.uri) == ECHO
    purposes = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert DAY - HOUR < issued.not_after - clock() <= DAY
    assert good(issued.certificate, issued.trusted, clock)


def test_nothing_but_the_key_is_taken_of_a_request(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    wanted = request(key, subject="vault", names=("vault.plugin", "hub.store-plugin"))
    found = certificate(authority.issue(ECHO, wanted).certificate)
    assert found.public_key() == key.public_key()
    assert found.subject.rfc4514_string() == "CN=echo"
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["echo.plugin"]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def _signed_by_another_key() -> bytes:
    """A good request whose last bytes, those of its signature, are others."""
    from cryptography.hazmat.primitives.serialization import Encoding

    der = bytearray(x509.load_pem_x509_csr(request()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)


BAD_REQUESTS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no PEM": lambda: b"\xff" * 100,
    "too long": lambda: request() + b"\n" * 20_000,
    "RSA 1024": lambda: request(rsa.generate_private_key(65537, 1024)),
    "P-521": lambda: request(ec.generate_private_key(ec.SECP521R1())),
    "another curve": lambda: request(ec.generate_private_key(ec.SECP256K1())),
    "signed with another key": _signed_by_another_key,
}


@pytest.mark.parametrize("bad", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_gets_nothing(authority: Authority, bad: Callable[[], bytes]) -> None:
    with pytest.raises(InvalidRequest):
        authority.issue(ECHO, bad())


def test_keys_of_rsa_are_taken(authority: Authority) -> None:
    assert authority.issue(ECHO, request(rsa.generate_private_key(65537, 2048)))


def test_keys_are_the_owners_alone(authority: Authority, ca_directory: Path) -> None:
    before = os.umask(0)
    try:
        authority.prepare()
        authority.rotate()
    finally:
        os.umask(before)
    files = sorted(ca_directory.iterdir())
    assert [file.name for file in files] == ["ca-000001.pem", "ca-000002.pem", "trusted.pem"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert b"PRIVATE" not in authority.ca_file.read_bytes()


def test_a_key_that_others_may_read_is_refused(authority: Authority, ca_directory: Path) -> None:
    authority.prepare()
    (ca_directory / "ca-000001.pem").chmod(0o640)
    with pytest.raises(ConfigInvalid, match="chmod 600"):
        authority.issue(ECHO, request())


def test_a_damaged_key_is_named_and_not_shown(authority: Authority, ca_directory: Path) -> None:
    authority.prepare()
    file = ca_directory / "ca-000001.pem"
    content = file.read_bytes()
    file.write_bytes(content[:100])
    with pytest.raises(ConfigInvalid, match="ca-000001") as refusal:
        authority.trusted()
    assert content[40:80].decode() not in str(refusal.value)


def test_the_directory_keeps_its_authority(ca_directory: Path, authority: Authority) -> None:
    assert Authority(ca_directory).trusted() == authority.trusted()


def test_two_at_once_make_one_authority(ca_directory: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: Authority(ca_directory).trusted(), range(8)))
    assert len(found) == 1


def test_a_ca_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Authority(tmp_path / "missing").prepare()


def test_a_new_key_signs_and_the_old_is_trusted_until_its_last_certificate_ends(
    authority: Authority, clock: HandClock
) -> None:
    before = authority.issue(ECHO, request())
    authority.rotate()
    after = authority.issue(ECHO, request())
    assert certificate(after.certificate).issuer != certificate(before.certificate).issuer
    for issued in (before, after):
        assert good(issued.certificate, authority.trusted(), clock)
    clock.moved += DAY - HOUR
    assert good(before.certificate, authority.trusted(), clock)
    clock.moved += 2 * HOUR
    assert len(x509.load_pem_x509_certificates(authority.trusted())) == 1
    later = authority.issue(ECHO, request())
    assert good(later.certificate, authority.trusted(), clock)


def test_the_listeners_are_known_to_who_enrolled_before_the_new_key(
    authority: Authority, clock: HandClock
) -> None:
    before = authority.issue(ECHO, request())
    first = authority.server()
    authority.rotate()
    during = authority.server()
    assert during.certificate == first.certificate
    assert during.trusted == authority.trusted() != first.trusted
    issuers = {one.subject for one in x509.load_pem_x509_certificates(before.trusted)}
    assert certificate(during.certificate).issuer in issuers
    between = authority.issue(ECHO, request())
    clock.moved += DAY + HOUR
    afterwards = authority.server()
    issuers = {one.subject for one in x509.load_pem_x509_certificates(between.trusted)}
    assert certificate(afterwards.certificate).issuer in issuers
    assert afterwards.signer == 2


def test_a_key_is_followed_before_it_is_old_and_removed_when_it_has_ended(
    authority: Authority, clock: HandClock, ca_directory: Path
) -> None:
    for _ in range(4):
        authority.issue(ECHO, request())
        clock.moved += FOLLOWED_AFTER + HOUR
    authority.issue(ECHO, request())
    assert [file.name for file in sorted(ca_directory.glob("ca-*"))] == [
        "ca-000004.pem",
        "ca-000005.pem",
    ]


def test_the_listeners_renew_their_certificate_before_it_ends(authority: Authority, clock: HandClock) -> None:
    first = authority.server()
    clock.moved += 15 * HOUR
    assert authority.server() == first
    clock.moved += 2 * HOUR
    second = authority.server()
    assert second.certificate != first.certificate
    assert second.key != first.key
    assert second.signer == first.signer


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_clock_that_jumps_by_an_hour_harms_nothing(
    authority: Authority, clock: HandClock, jump: timedelta
) -> None:
    issued, server = authority.issue(ECHO, request()), authority.server()
    clock.moved += jump
    assert good(issued.certificate, authority.trusted(), clock)
    assert authority.server() == server
    assert good(authority.issue(ECHO, request()).certificate, issued.trusted, clock)


def test_a_clock_that_was_a_year_ahead_is_survived(authority: Authority, clock: HandClock) -> None:
    clock.moved = timedelta(days=365)
    authority.issue(ECHO, request())
    authority.server()
    clock.moved = timedelta(0)
    issued = authority.issue(ECHO, request())
    assert good(issued.certificate, authority.trusted(), clock)
    assert certificate(authority.server().certificate).not_valid_before_utc < clock()


def test_the_hubs_certificate_is_for_servers_only(authority: Authority, clock: HandClock) -> None:
    shown = authority.server()
    purposes = certificate(shown.certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(purposes.value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not good(shown.certificate, shown.trusted, clock)
    assert "PRIVATE" not in repr(shown)


@pytest.mark.parametrize("life", [timedelta(0), timedelta(days=8)], ids=["none", "long"])
def test_certificates_live_for_hours(ca_directory: Path, life: timedelta) -> None:
    with pytest.raises(InvalidRequest):
        Authority(ca_directory, life=life)


def test_an_ed25519_key_is_refused_in_words(authority: Authority) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    wanted = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM)
    with pytest.raises(InvalidRequest, match="P-256"):
        authority.issue(ECHO, wanted)
