"""A plugins directory, executables and keys."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from store_plugin.lifecycle.administration.installing import Installer
from store_plugin.lifecycle.administration.registering import Registrar
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.layout import Layout

Sign = Callable[[Path], str]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "plugins")
    found.prepare()
    return found


@pytest.fixture
def installer(layout: Layout) -> Installer:
    return Installer(layout)


@pytest.fixture
def registrar(layout: Layout) -> Registrar:
    return Registrar(layout)


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    path = tmp_path / "shelves"
    path.write_text("#!/bin/sh\necho hello\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def key(tmp_path: Path, private: ec.EllipticCurvePrivateKey) -> Path:
    """A public key's file."""
    path = tmp_path / "cosign.pub"
    path.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture
def sign(private: ec.EllipticCurvePrivateKey) -> Sign:
    def sign(file: Path) -> str:
        return base64.b64encode(private.sign(file.read_bytes(), ec.ECDSA(hashes.SHA256()))).decode()

    return sign


def events(layout: Layout) -> list[str]:
    """What the audit record tells, whose chain holds."""
    import json

    log = AuditLog(layout.audit)
    log.verify()
    return [json.loads(line)["event"] for line in log.lines()]
