"""Enrolment tokens: what a plugin is started with, to show once that it is the one we started.

A token is a JWT (HS256) under a key that this process makes and keeps to itself, so tokens of an
earlier run are foreign. Only one header is taken, byte for byte: there is no algorithm to choose.
What ends a token is the process's own steady clock, so a clock that jumps makes none valid again.
"""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from store_plugin.enrolment import PluginInstance, is_instance_id
from store_plugin.errors import CallerUnknown, InvalidRequest, Overloaded
from store_plugin.stream.frames import is_plugin_name
from store_plugin.trust import is_digest

LONGEST_LIFE = 60.0
"""Seconds."""
MOST_TOKENS = 4096
"""Remembered at a time, used or not; each is forgotten when it ends."""
_LONGEST_TOKEN = 2048


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once it has been checked."""

    plugin: PluginInstance
    digest: str


@dataclass(slots=True)
class _Issued:
    ends: float
    used: bool = False


class EnrolmentTokens:
    """Issues and takes tokens of one process."""

    def __init__(
        self,
        life: float = LONGEST_LIFE,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < life <= LONGEST_LIFE:
            raise InvalidRequest(f"an enrolment token lives {LONGEST_LIFE:g} s at most")
        self._life = life
        self._clock = clock
        self._steady = steady
        self._key = secrets.token_bytes(32)
        self._issued: dict[str, _Issued] = {}
        """By id, in the order of their ends."""

    def issue(self, name: str, instance: str, digest: str) -> str:
        """A token for the process that is about to start. InvalidRequest for what is no name,
        instance or digest; Overloaded."""
        if not (is_plugin_name(name) and is_instance_id(instance) and is_digest(digest)):
            raise InvalidRequest("a token is for the name, the instance and the digest of a plugin")
        self._forget_ended()
        if len(self._issued) >= MOST_TOKENS:
            raise Overloaded(f"{MOST_TOKENS} plugins are about to enrol, the limit", retry_after=self._life)
        token_id = secrets.token_hex(16)
        self._issued[token_id] = _Issued(self._steady() + self._life)
        now = self._clock()
        return self._signed(
            {
                "jti": token_id,
                "sub": name,
                "instance": instance,
                "digest": digest,
                "iat": int(now),
                "exp": int(now + self._life),
            }
        )

    def take(self, token: str, name: str) -> Claims:
        """Use a token up. CallerUnknown where it is forged or foreign, was used, has ended, or is
        for another plugin than `name`; then it is used up too."""
        body = self._verified(token)
        self._forget_ended()
        issued = self._issued.get(body["jti"])
        if issued is None:
            raise CallerUnknown(
                f"the enrolment token has expired: it is good for {self._life:g} s from the start of the "
                "process; enrol first, and do what takes long after that"
            )
        if issued.used:
            raise CallerUnknown("the enrolment token has been used before")
        issued.used = True
        if not hmac.compare_digest(body["sub"].encode(), name.encode()):
            raise CallerUnknown("the enrolment token is for another plugin")
        return Claims(PluginInstance(body["sub"], body["instance"]), body["digest"])

    def _signed(self, body: dict[str, str | int]) -> str:
        text = f"{_HEADER}.{_encoded(json.dumps(body, separators=(',', ':')).encode())}"
        return f"{text}.{_encoded(self._signature(text))}"

    def _verified(self, token: str) -> dict[str, str]:
        """What we once signed, so it needs no further checks."""
        text, _, signature = token[:_LONGEST_TOKEN].rpartition(".")
        header, _, body = text.partition(".")
        given = signature.encode("utf-8", "replace")
        genuine = hmac.compare_digest(_encoded(self._signature(text)).encode(), given)
        if not genuine or header != _HEADER or len(token) > _LONGEST_TOKEN:
            raise CallerUnknown("the enrolment token is not one of this process")
        claims: dict[str, str] = json.loads(_decoded(body))
        return claims

    def _signature(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256")

    def _forget_ended(self) -> None:
        now = self._steady()
        for token_id, issued in tuple(self._issued.items()):
            if issued.ends > now:
                return
            del self._issued[token_id]


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


_HEADER = _encoded(b'{"alg":"HS256","typ":"JWT"}')
