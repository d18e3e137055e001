"""Sealing: AES-256-GCM with a ring of keys, and what each box is bound to.

Every box is authenticated together with its place (`Place`): the file, what kind of row
it is, scoped name, key and version. A box that is moved to another place, or stays where
a newer one belongs, does not open. Nonces are random, 96 bits: a key is good for some
four thousand million writes.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store_plugin.errors import ConfigInvalid

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_ID_BYTES = 8


class WrongKey(Exception):
    """No key of the ring has the id that a box was sealed with."""

    def __init__(self, key_id: bytes) -> None:
        super().__init__()
        self.key_id = key_id


class NotAuthentic(Exception):
    """A box was changed, or is not in its place."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a box is bound to."""

    file_id: bytes
    kind: str
    name: str = ""
    key: str = ""
    version: int = 0

    def encoded(self) -> bytes:
        """All parts, each with its length before it, so that no two places look alike."""
        texts = (self.kind, self.name, self.key, str(self.version))
        parts = (b"store-plugin/local/1", self.file_id, *(text.encode() for text in texts))
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Box:
    """A sealed value and the id of the key that sealed it."""

    key_id: bytes
    sealed: bytes = field(repr=False)


class KeyRing:
    """The keys of one config. The first seals; all of them open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.ids = tuple(map(_key_id, keys))
        self._ciphers = {key_id: AESGCM(key) for key_id, key in zip(self.ids, keys, strict=True)}

    @property
    def sealing_id(self) -> bytes:
        return self.ids[0]

    def seal(self, value: bytes, place: Place) -> Box:
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._ciphers[self.sealing_id]
        return Box(self.sealing_id, nonce + cipher.encrypt(nonce, value, place.encoded()))

    def open(self, box: Box, place: Place) -> bytes:
        """The value. WrongKey, NotAuthentic."""
        cipher = self._ciphers.get(box.key_id)
        if cipher is None:
            raise WrongKey(box.key_id)
        if len(box.sealed) < _NONCE_BYTES + _TAG_BYTES:
            raise NotAuthentic
        nonce, sealed = box.sealed[:_NONCE_BYTES], box.sealed[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, place.encoded())
        except InvalidTag:
            raise NotAuthentic from None


def decode_key(text: bytes, what: str) -> bytes:
    """The key written as base64; ConfigInvalid says what is wrong with `what` without
    showing any of it."""
    how_to = "make one with: head -c 32 /dev/urandom | base64"
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigInvalid(f"{what} is not base64; {how_to}") from None
    if len(key) != KEY_BYTES:
        raise ConfigInvalid(f"{what} holds {len(key)} bytes, {KEY_BYTES} are needed; {how_to}")
    return key


def _key_id(key: bytes) -> bytes:
    """Tells keys apart and tells nothing about them."""
    return hmac.digest(key, b"store-plugin/local/key-id", hashlib.sha256)[:_ID_BYTES]
