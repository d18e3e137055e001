"""What a login yields, and what every login method is."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from store_plugin.errors import ConfigInvalid, LoginRefused
from stores.vault.adapter import VaultAdapter
from stores.vault.http.answer import Answer

_TOKEN = re.compile(r"[\x21-\x7e]+\Z")

AdapterFor = Callable[[str], VaultAdapter]
"""An adapter in the login's namespace that carries a token; `""`: none."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and how long it lives, in seconds; 0: for ever."""

    token: str = field(repr=False)
    ttl: float = 0.0
    renewable: bool = False
    uses: int = 0
    """How often it can be sent; 0: as often as one likes."""
    revocable: bool = True
    """Not a batch token, which the server keeps no record of."""


class AuthMethod(Protocol):
    """A way to log in. Credentials are read again at each login."""

    obtains: ClassVar[bool]
    """Whether the token is made for us by the login, so that we revoke it at the end."""

    @property
    def block(self) -> str:
        """The path of its block in the spec."""
        ...

    @property
    def advice(self) -> str:
        """What to do where the server refuses the login and does not say why."""
        ...

    async def login(self, adapter_for: AdapterFor) -> Grant:
        """StoreDenied, InvalidRequest where the server refuses; LoginRefused where the message
        says what to do; ConfigInvalid for a credential that cannot be read, and what the
        transport raises."""
        ...


def granted(answer: Answer) -> Grant:
    """The grant in the answer to a login or a renewal. LoginRefused where it holds none,
    as where the server wants a second factor."""
    auth = answer.json().get("auth") if answer.ok else None
    if not isinstance(auth, dict) or not isinstance(auth.get("client_token"), str):
        raise LoginRefused(
            f"{answer.where}: the server gives no token for this login; check the mountPath of the login"
        )
    if not auth["client_token"]:
        raise LoginRefused(f"{answer.where}: the server demands a second factor; log in as one without it")
    return Grant(
        auth["client_token"],
        float(auth.get("lease_duration") or 0),
        bool(auth.get("renewable")),
        int(auth.get("num_uses") or 0),
        auth.get("token_type") != "batch",
    )


def credential(value: bytes, what: str) -> str:
    """A credential as text. ConfigInvalid where it could not be sent in a header."""
    text = value.decode("latin-1").strip()
    if not _TOKEN.match(text):
        raise ConfigInvalid(f"{what} is empty or holds characters that no credential has")
    return text


def secret_text(value: bytes, what: str) -> str:
    """A password as text. ConfigInvalid where it is empty (a directory takes that for "no
    login at all") or no UTF-8."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{what} is no UTF-8 text") from None
    if not text:
        raise ConfigInvalid(f"{what} is empty")
    return text
