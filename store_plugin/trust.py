"""Digests and signatures of executables: what must be known before something is run.

A signature is what `cosign sign-blob --key` writes: base64, ECDSA P-256 over the SHA-256 of the
bytes (DER), or Ed25519 over the bytes themselves. Keys are PEM, as `cosign.pub`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

MAX_EXECUTABLE_BYTES = 512 * 1024 * 1024
_CHUNK = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_MOST_SIGNATURE_BYTES = 4096

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Untrusted(Exception):
    """What was to be run is not what somebody vouched for. The text says which check failed."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that is trusted, by the name of its file."""

    name: str
    key: PublicKey

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key (SubjectPublicKeyInfo), in hexadecimal."""
        return hashlib.sha256(
            self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).hexdigest()


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 in lower-case hexadecimal."""
    return _DIGEST.match(text) is not None


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Blocking; OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def public_key(pem: bytes) -> PublicKey:
    """A key that can verify here. Untrusted where it is none."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise Untrusted("the key is not a public key in PEM") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise Untrusted("only ECDSA P-256 and Ed25519 keys are used here")


def signers_in(directory: Path) -> list[Signer]:
    """The keys in a directory, `*.pub` and `*.pem`, by name. Blocking; Untrusted names a file
    that holds no key, OSError."""
    found = []
    for path in key_files(directory):
        try:
            found.append(Signer(path.name, public_key(path.read_bytes())))
        except Untrusted as error:
            raise Untrusted(f"{path.name}: {error}") from None
    return found


def key_files(directory: Path) -> list[Path]:
    """The files in a directory that are taken for keys, by name; none where it is not there. OSError."""
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted(path for path in found if path.suffix in (".pub", ".pem"))


def verified(content: bytes, signature: bytes, signers: Iterable[Signer]) -> Signer:
    """The signer whose signature this is. Untrusted where it is nobody's."""
    known = list(signers)
    if not known:
        raise Untrusted("there are no trusted keys to check the signature with")
    raw = _decoded(signature)
    for signer in known:
        if _verifies(signer.key, raw, content):
            return signer
    raise Untrusted("the signature is of none of the trusted keys, or of another file")


def _decoded(signature: bytes) -> bytes:
    if len(signature) > _MOST_SIGNATURE_BYTES:
        raise Untrusted("the signature is too long to be one")
    try:
        return base64.b64decode(signature.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Untrusted("the signature is not base64, as cosign sign-blob writes it") from None


def _verifies(key: PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        else:
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
