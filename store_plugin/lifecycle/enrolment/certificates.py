"""The certificates that are issued, and what is taken of a request for one: its key.

A plugin's certificate can be shown by a client only, and the hub's by a server only, so no
plugin can pose as the hub.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from store_plugin.enrolment import HUB_NAME, PluginInstance
from store_plugin.errors import InvalidRequest

BACKDATED = timedelta(minutes=90)
"""Certificates begin before they are issued: a clock may be set back by an hour."""
MOST_CSR_BYTES = 16 * 1024
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_RSA_BITS = (2048, 3072, 4096)

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs, and until when that is worth anything."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)


def requested_key(csr_pem: bytes) -> PublicKey:
    """The public key of a certificate request that its owner signed. InvalidRequest."""
    if len(csr_pem) > MOST_CSR_BYTES:
        raise InvalidRequest(f"a certificate request has at most {MOST_CSR_BYTES} bytes")
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        key, signed = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest(
            "the certificate request is not PKCS #10 in PEM, with a key known here"
        ) from None
    if not signed:
        raise InvalidRequest("the certificate request is not signed with its own key")
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
        return key
    raise InvalidRequest("take a key for ECDSA P-256 or P-384, or RSA with 2048, 3072 or 4096 bits")


def authority_certificate(
    key: ec.EllipticCurvePrivateKey, number: int, now: datetime, life: timedelta
) -> x509.Certificate:
    """A CA's own, which signs certificates of ends only."""
    name = _named(f"store-plugin plugins CA {number}")
    return (
        _begun(name, name, key.public_key(), now, now + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def plugin_certificate(
    issuer: Issuer, key: PublicKey, plugin: PluginInstance, now: datetime, life: timedelta
) -> x509.Certificate:
    """For one instance of a plugin. Subject and names are ours, whatever was asked for."""
    names = [x509.DNSName(plugin.dns), x509.UniformResourceIdentifier(plugin.uri)]
    return _issued(issuer, key, plugin.name, names, ExtendedKeyUsageOID.CLIENT_AUTH, now, life)


def server_certificate(issuer: Issuer, key: PublicKey, now: datetime, life: timedelta) -> x509.Certificate:
    """For the listeners of this process, which are on loopback."""
    names: list[x509.GeneralName] = [x509.DNSName(HUB_NAME), x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return _issued(issuer, key, HUB_NAME, names, ExtendedKeyUsageOID.SERVER_AUTH, now, life)


def pem_of(certificate: x509.Certificate) -> bytes:
    """As PEM."""
    return certificate.public_bytes(Encoding.PEM)


def _issued(
    issuer: Issuer,
    key: PublicKey,
    subject: str,
    names: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    now: datetime,
    life: timedelta,
) -> x509.Certificate:
    # An end that its authority does not live to see would be none.
    ends = min(now + life, issuer.certificate.not_valid_after_utc)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return (
        _begun(_named(subject), issuer.certificate.subject, key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(authority, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
