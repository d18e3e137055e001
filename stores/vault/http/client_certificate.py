"""The certificate that we show to a server, checked before it is used: what OpenSSL says of a
pair that does not work would not tell which field is wrong."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from store_plugin.errors import ConfigInvalid

CERTIFICATE, KEY = "clientCertificate.certificate", "clientCertificate.key"
_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> datetime:
    """Have connections of `context` show the certificate, and those after it that lead to
    its CA; all PEM. Returns when it expires. ConfigInvalid where it is not its key, or its time
    is not now."""
    shown = _certificate(certificate)
    check_not_over(shown.not_valid_after_utc)
    _check_begun(shown.not_valid_before_utc)
    if shown.public_key().public_bytes(*_SPKI) != _key(key).public_key().public_bytes(*_SPKI):
        raise ConfigInvalid(f"{KEY} is not the key of {CERTIFICATE}: set two that belong together")
    with _in_memory(certificate) as certificate_file, _in_memory(key) as key_file:
        try:
            context.load_cert_chain(certificate_file, key_file)
        except ssl.SSLError as error:
            raise ConfigInvalid(f"{CERTIFICATE}: OpenSSL does not take it ({error.reason})") from None
    return shown.not_valid_after_utc


def check_not_over(last: datetime) -> None:
    """ConfigInvalid for a certificate that has expired, maybe while it was in use."""
    if datetime.now(UTC) > last:
        raise ConfigInvalid(f"{CERTIFICATE} expired at {last:%Y-%m-%d %H:%M} UTC: renew it")


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError:
        raise ConfigInvalid(f"{CERTIFICATE} holds no PEM certificate") from None


def _check_begun(first: datetime) -> None:
    if datetime.now(UTC) < first:
        raise ConfigInvalid(
            f"{CERTIFICATE} is not valid before {first:%Y-%m-%d %H:%M} UTC: is the clock right?"
        )


def _key(pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:
        raise ConfigInvalid(f"{KEY} is encrypted: store it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigInvalid(f"{KEY} holds no PEM private key that can be used") from None


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """The path of a file that is on no disk: OpenSSL's certificates come from files."""
    descriptor = os.memfd_create("store-plugin", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
