"""The CA of one plugins directory: made at first use, followed by another before it ends.

The newest key signs plugins' certificates. An older one stays trusted until the last certificate
that it signed has ended; until then it also signs the certificate of the listeners, because a
plugin that has not renewed since knows no other. So nobody is cut off when a key is followed by
the next, and none is needed longer than the life of one certificate.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from store_plugin.enrolment import PluginInstance
from store_plugin.errors import InvalidRequest
from store_plugin.lifecycle.enrolment.certificates import (
    BACKDATED,
    Issuer,
    authority_certificate,
    pem_of,
    plugin_certificate,
    requested_key,
    server_certificate,
)
from store_plugin.lifecycle.enrolment.generations import Generation, Generations

DEFAULT_LIFE = timedelta(hours=24)
LONGEST_LIFE = timedelta(days=7)
AUTHORITY_LIFE = timedelta(days=60)
FOLLOWED_AFTER = timedelta(days=30)
"""A key that is older is followed by the next, which is still far from its end then."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A plugin's certificate and the authorities that it shall trust."""

    certificate: bytes
    trusted: bytes
    not_after: datetime
    serial: str
    """In hexadecimal, for the record."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What the listeners show, and whom they trust."""

    certificate: bytes
    trusted: bytes
    signer: int
    renew_at: datetime
    issued_at: datetime
    key: bytes = field(repr=False)


class Authority:
    """One directory, which several processes may use. Blocking, and safe to use from threads.

    `life` is that of certificates. ConfigInvalid where a key cannot be used, StoreUnavailable
    where one cannot be kept.
    """

    def __init__(
        self,
        directory: Path,
        *,
        life: timedelta = DEFAULT_LIFE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not timedelta(0) < life <= LONGEST_LIFE:
            raise InvalidRequest(f"certificates of plugins live {LONGEST_LIFE.days} days at most")
        self.life = life
        self._directory = directory
        self._generations = Generations(directory)
        self._clock = clock
        self._server: ServerIdentity | None = None
        self._lock = threading.Lock()

    @property
    def ca_file(self) -> Path:
        """Where `prepare` leaves the authorities' certificates; no secret."""
        return self._directory / "trusted.pem"

    def prepare(self) -> Path:
        """Make what is missing, and write `ca_file` anew."""
        self._generations.write(self.ca_file.name, self.trusted())
        return self.ca_file

    def trusted(self) -> bytes:
        """The certificates of all keys that are trusted now, newest first, as PEM."""
        return _bundle(self._current())

    def issue(self, plugin: PluginInstance, csr_pem: bytes) -> Issued:
        """A certificate for the key in a certificate request. InvalidRequest where that is none."""
        key = requested_key(csr_pem)
        current, now = self._current(), self._clock()
        certificate = plugin_certificate(_issuer(current[0]), key, plugin, now, self.life)
        return Issued(
            pem_of(certificate),
            _bundle(current),
            certificate.not_valid_after_utc,
            f"{certificate.serial_number:x}",
        )

    def server(self) -> ServerIdentity:
        """What the listeners show: the same until it should be another."""
        with self._lock:
            current, now = self._current(), self._clock()
            held, trusted = self._server, _bundle(current)
            if held is None or not _lasts(held, current, now):
                held = self._server = self._new_server(current, now)
            elif held.trusted != trusted:
                held = self._server = replace(held, trusted=trusted)
            return held

    def rotate(self) -> None:
        """Have a new key sign from now on."""
        with self._generations.turn():
            self._follow(self._clock())

    def _new_server(self, current: list[Generation], now: datetime) -> ServerIdentity:
        signer, key = current[-1], ec.generate_private_key(ec.SECP256R1())
        certificate = server_certificate(_issuer(signer), key.public_key(), now, self.life)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        renew_at = now + (certificate.not_valid_after_utc - now) * 2 / 3
        return ServerIdentity(pem_of(certificate), _bundle(current), signer.number, renew_at, now, pem)

    def _current(self) -> list[Generation]:
        """The keys that are trusted, newest first; makes one where there is none to sign with."""
        with self._generations.turn():
            now = self._clock()
            found = self._trusted(now)
            if found and now < found[0].made + FOLLOWED_AFTER:
                return found
            self._follow(now)
            return self._trusted(now)

    def _trusted(self, now: datetime) -> list[Generation]:
        found: list[Generation] = []
        for path in reversed(self._generations.files()):
            generation = self._generations.read(path)
            replaced = found[-1].made if found else now
            if generation.usable(now) and now < replaced + self.life:
                found.append(generation)
        return found

    def _follow(self, now: datetime) -> None:
        key, number = ec.generate_private_key(ec.SECP256R1()), self._generations.next_number()
        certificate = authority_certificate(key, number, now, AUTHORITY_LIFE)
        self._generations.remove_ended(now)
        self._generations.add(Generation(number, certificate, key))


def _lasts(held: ServerIdentity, current: list[Generation], now: datetime) -> bool:
    """Also false where the clock was set back before the time it was issued at."""
    return held.signer == current[-1].number and held.issued_at - BACKDATED < now < held.renew_at


def _bundle(generations: list[Generation]) -> bytes:
    return b"".join(generation.pem for generation in generations)


def _issuer(generation: Generation) -> Issuer:
    return Issuer(generation.certificate, generation.key)
