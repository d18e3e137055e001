"""Certificates as Crossplane makes them for its secret stores: RSA, one subject for the
authority and all it signs, one serial number for all, and no key identifiers."""

import warnings
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.certificates import Bundle

_SERIAL = 2022
_LIFE = timedelta(days=3650)
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class CrossplaneAuthority:
    """Crossplane's own certificate authority."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        certificate = (
            _builder(self._key, ca=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("crossplane-root-ca")]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self._pem = certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, namespace: str) -> Bundle:
        """What a plugin in this namespace serves with."""
        return self._issue(f"*.{namespace}", ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, name: str) -> Bundle:
        """What Crossplane or a provider calls with."""
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(self, name: str, use: x509.ObjectIdentifier) -> Bundle:
        key = rsa.generate_private_key(65537, 2048)
        certificate = (
            _builder(key, ca=False)
            .add_extension(
                _usage("digital_signature", "key_encipherment", "data_encipherment"), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pkcs1 = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return Bundle(self._pem, certificate.public_bytes(serialization.Encoding.PEM), pkcs1)


def _builder(key: rsa.RSAPrivateKey, *, ca: bool) -> x509.CertificateBuilder:
    now, subject = datetime.now(UTC), _subject()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(_SERIAL)
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def _subject() -> x509.Name:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a country has two letters everywhere else
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "Earth", _validate=False)
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Crossplane")
    return x509.Name([country, organization, x509.NameAttribute(NameOID.COMMON_NAME, "Crossplane")])


def _usage(*wanted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in wanted for usage in _USAGES})
