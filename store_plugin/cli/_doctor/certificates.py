"""Whether the certificates of a directory can be served and shown."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from store_plugin.cli._connecting import Finding
from store_plugin.errors import InvalidRequest

_SOON = 0.1
"""Share of its whole life that a certificate should have been renewed before."""


def look(directory: Path) -> list[Finding]:
    """Present, plain PEM, a pair, in force, and issued by the CA beside it."""
    from store_plugin.tls import read_material

    try:
        ca, certificate, _ = read_material(directory)
    except InvalidRequest as error:
        return [Finding("error", str(directory), error.message)]
    found = list(_wrong(ca, certificate, directory))
    return found or [Finding("ok", str(directory), "the certificates fit together")]


def _wrong(ca: bytes, certificate: bytes, directory: Path) -> Iterator[Finding]:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    shown, now = x509.load_pem_x509_certificate(certificate), datetime.now(UTC)
    where, life = str(directory / "tls.crt"), shown.not_valid_after_utc - shown.not_valid_before_utc
    if now < shown.not_valid_before_utc:
        message = f"not valid before {shown.not_valid_before_utc}; is the clock of this node right?"
        yield Finding("error", where, message)
    if now > shown.not_valid_after_utc:
        yield Finding("error", where, f"ended at {shown.not_valid_after_utc}; renew it")
    elif now > shown.not_valid_after_utc - life * _SOON:
        yield Finding("warning", where, f"ends at {shown.not_valid_after_utc}; does something renew it?")

    def issued_by(issuer: x509.Certificate) -> bool:
        try:
            shown.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    if not any(map(issued_by, x509.load_pem_x509_certificates(ca))):
        message = "was not issued by the CA in ca.crt; take both from the same source"
        yield Finding("error", where, message)
