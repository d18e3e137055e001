"""What is vouched for is accepted, and everything else is not: digests, keys, signatures."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from store_plugin.trust import Signer, Untrusted, digest_of, is_digest, public_key, signers_in, verified

CONTENT = b"#!/bin/sh\necho a plugin\n"
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def pem(key: object) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(key: PrivateKey, content: bytes) -> bytes:
    """As cosign sign-blob does."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.sign(content))
    return base64.b64encode(key.sign(content, ec.ECDSA(hashes.SHA256())))


KEYS = {
    "ECDSA P-256": ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_a_signature_of_a_trusted_key_is_accepted(key: PrivateKey) -> None:
    others = [Signer(name, public_key(pem(other))) for name, other in KEYS.items()]
    signer = verified(CONTENT, signed(key, CONTENT) + b"\n", others)
    assert signer.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) == pem(key)
    assert is_digest(signer.fingerprint)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize(
    "signature",
    [b"", b"not base64!", base64.b64encode(b"x" * 64), b"A" * 10_000, b"\xff\xfe"],
    ids=["nothing", "no base64", "garbage", "too long", "bytes"],
)
def test_what_is_no_signature_is_not(key: PrivateKey, signature: bytes) -> None:
    with pytest.raises(Untrusted):
        verified(CONTENT, signature, [Signer("a.pub", public_key(pem(key)))])


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_a_signature_of_other_bytes_or_another_key_is_not(key: PrivateKey) -> None:
    signer = Signer("a.pub", public_key(pem(key)))
    with pytest.raises(Untrusted, match="none of the trusted keys"):
        verified(CONTENT + b"#", signed(key, CONTENT), [signer])
    stranger = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Untrusted):
        verified(CONTENT, signed(stranger, CONTENT), [signer])
    with pytest.raises(Untrusted, match="no trusted keys"):
        verified(CONTENT, signed(key, CONTENT), [])


def test_a_signature_made_by_openssl_is_accepted(tmp_path: Path) -> None:
    """Another program's ECDSA, from `openssl dgst -sha256 -sign`, which is what cosign writes."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl comes with every system this runs on"
    (tmp_path / "blob").write_bytes(CONTENT)

    def run(*arguments: str) -> bytes:
        return subprocess.run([openssl, *arguments], cwd=tmp_path, check=True, capture_output=True).stdout

    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
    run("ec", "-in", "key.pem", "-pubout", "-out", "key.pub")
    signature = base64.b64encode(run("dgst", "-sha256", "-sign", "key.pem", "blob"))
    assert verified(CONTENT, signature, signers_in_only(tmp_path)).name == "key.pub"


def signers_in_only(directory: Path) -> list[Signer]:
    (directory / "key.pem").unlink()
    return signers_in(directory)


WRONG_KEYS = {
    "RSA": pem(rsa.generate_private_key(65537, 2048)),
    "another curve": pem(ec.generate_private_key(ec.SECP384R1())),
    "no key": b"hello",
    "nothing": b"",
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_other_keys_are_refused_by_file(tmp_path: Path, key: bytes) -> None:
    (tmp_path / "team.pub").write_bytes(key)
    with pytest.raises(Untrusted, match=r"team\.pub"):
        signers_in(tmp_path)


def test_a_directory_without_keys_has_no_signers(tmp_path: Path) -> None:
    assert signers_in(tmp_path) == signers_in(tmp_path / "missing") == []


def test_a_digest_is_the_files(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    assert digest_of(file) == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("text", ["", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 64 + "\n"])
def test_what_is_no_digest(text: str) -> None:
    assert not is_digest(text)
