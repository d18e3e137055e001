"""A CA whose clock is turned by hand, and certificate requests for it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from store_plugin.lifecycle.enrolment.authority import Authority


class HandClock:
    """Shows real time, moved by what a test says."""

    def __init__(self) -> None:
        self.moved = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.moved


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


MakeAuthority = Callable[..., Authority]


@pytest.fixture
def ca_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "ca"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def authority(ca_directory: Path, clock: HandClock) -> Authority:
    return Authority(ca_directory, clock=clock)


def request(key: object = None, *, subject: str = "anybody", names: tuple[str, ...] = ()) -> bytes:
    """A certificate request, signed with its key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    own = ec.generate_private_key(ec.SECP256R1()) if key is None else key
    return builder.sign(own, hashes.SHA256()).public_bytes(Encoding.PEM)  # type: ignore[arg-type]
