"""The CA's keys on disk: one file each, the newest signs, older ones are trusted for a while.

A file holds a key and its certificate and never changes, so a reader sees a whole pair. What
makes or removes files holds the lock of the directory.
"""

import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from store_plugin.errors import ConfigInvalid
from store_plugin.lifecycle.enrolment.certificates import BACKDATED
from store_plugin.lifecycle.files import replace_file, turn

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Generation:
    """One key of the CA and its certificate; `number` grows."""

    number: int
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def made(self) -> datetime:
        """When it began to sign."""
        return self.certificate.not_valid_before_utc + BACKDATED

    @property
    def ends(self) -> datetime:
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def usable(self, now: datetime) -> bool:
        return self.certificate.not_valid_before_utc <= now < self.ends


class Generations:
    """A directory of them. Blocking."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def turn(self) -> AbstractContextManager[None]:
        """Alone with the directory, of all processes. StoreUnavailable."""
        return turn(self._directory)

    def files(self) -> list[Path]:
        """The files there are, oldest first."""
        return sorted(self._directory.glob("ca-*.pem"))

    def read(self, path: Path) -> Generation:
        """ConfigInvalid where others may read it, or it is no key and certificate."""
        try:
            if path.stat().st_mode & _OTHERS:
                raise ConfigInvalid(f"others may use the key {path}: chmod 600 {path}")
            content = path.read_bytes()
            certificate = x509.load_pem_x509_certificate(content)
            key = load_pem_private_key(content, password=None)
        except OSError as error:
            raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigInvalid(f"{path} holds no key and certificate: remove it for new ones") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ConfigInvalid(f"the key and the certificate in {path} do not belong together")
        return Generation(_number(path), certificate, key)

    def add(self, generation: Generation) -> None:
        """Keep it, whole or not at all. StoreUnavailable."""
        key = generation.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.write(f"ca-{generation.number:06}.pem", key + generation.pem)

    def write(self, name: str, content: bytes) -> None:
        """A file of the owner's own, in place of the one that was there. StoreUnavailable."""
        replace_file(self._directory / name, content)

    def remove_ended(self, now: datetime) -> None:
        """Keys that sign nothing any more, and that nobody trusts."""
        for path in self.files():
            if self.read(path).ends < now:
                path.unlink(missing_ok=True)

    def next_number(self) -> int:
        """For the one to come."""
        files = self.files()
        return _number(files[-1]) + 1 if files else 1


def _number(path: Path) -> int:
    return int(path.stem.partition("-")[2])
