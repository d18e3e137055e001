"""Put a plugin into a repository: first the file, then the index that names it, each as a whole.

A reader that comes at any moment finds an index all of whose files are there. Two that publish at
once wait for each other.
"""

import base64
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from store_plugin.errors import AlreadyRegistered, InvalidRequest, StoreUnavailable, TooLarge
from store_plugin.lifecycle.files import replace_file, turn
from store_plugin.lifecycle.repository.index import INDEX_NAME, MOST_RELEASES, Index, Release, read_index
from store_plugin.trust import MAX_EXECUTABLE_BYTES, digest_of


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published."""

    file: Path
    name: str
    version: str
    signature: str | None = None


def publish(repository: Path, publication: Publication) -> Release:
    """Add it. AlreadyRegistered where that version is there with other content: what was published
    does not change. InvalidRequest, TooLarge, StoreUnavailable. Blocking."""
    size = _size(publication.file)
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with turn(repository):
            index = _present(repository)
            release = _release(publication, size)
            if _is_known(index, release):
                return release
            _place(publication.file, repository / release.file)
            _write_index(repository, Index(releases=(*index.releases, release)))
    except OSError as error:
        raise StoreUnavailable(f"{repository} cannot be written: {error.strerror}") from None
    return release


def signed(file: Path, key: Path, passphrase: bytes | None = None) -> str:
    """The signature of a file, as `cosign sign-blob --key` writes it. `key`: a private key in PEM,
    ECDSA P-256 or Ed25519. InvalidRequest."""
    try:
        private = load_pem_private_key(key.read_bytes(), passphrase)
    except OSError as error:
        raise InvalidRequest(f"{key} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidRequest(
            f"{key} is no private key in PEM, or it is encrypted: sign with cosign, and pass --signature"
        ) from None
    content = file.read_bytes()
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return base64.b64encode(private.sign(content)).decode()
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return base64.b64encode(private.sign(content, ec.ECDSA(hashes.SHA256()))).decode()
    raise InvalidRequest("only ECDSA P-256 and Ed25519 keys are used here")


def _size(file: Path) -> int:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from None
    if not file.is_file() or size == 0:
        raise InvalidRequest(f"{file} is not a file that could be run")
    if size > MAX_EXECUTABLE_BYTES:
        raise TooLarge(f"{file} is {size} bytes; at most {MAX_EXECUTABLE_BYTES} are taken")
    return size


def _release(publication: Publication, size: int) -> Release:
    name, version = publication.name, publication.version
    return Release(
        name=name,
        version=version,
        file=f"{name}-{version}{publication.file.suffix}",
        digest=digest_of(publication.file),
        size=size,
        signature=publication.signature,
    )


def _is_known(index: Index, release: Release) -> bool:
    for there in index.releases:
        if (there.name, there.version) == (release.name, release.version):
            if there.digest == release.digest and release.signature in (None, there.signature):
                return True
            raise AlreadyRegistered(
                f"{release.name} {release.version} is published; give what differs another version"
            )
    if len(index.releases) >= MOST_RELEASES:
        raise TooLarge(f"a repository holds {MOST_RELEASES} files: begin another one")
    return False


def _present(repository: Path) -> Index:
    try:
        return read_index((repository / INDEX_NAME).read_bytes(), str(repository))
    except FileNotFoundError:
        return Index()


def _place(source: Path, target: Path) -> None:
    draft = target.with_name(f".{secrets.token_hex(8)}")
    try:
        shutil.copyfile(source, draft)
        draft.chmod(0o644)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _write_index(repository: Path, index: Index) -> None:
    text = index.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"
    replace_file(repository / INDEX_NAME, text.encode(), 0o644)
