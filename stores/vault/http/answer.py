"""What a server answered, whichever HTTP client asked."""

import json
from dataclasses import dataclass, field
from typing import Any

from store_plugin.errors import StorePluginError
from stores.vault import errors

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Of an answer; a larger one is given up while it comes."""
_PLAIN = "Client sent an HTTP request to an HTTPS server"
"""What a Go server answers in the clear, without JSON, where it expects TLS."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered. `where` names the request in messages."""

    where: str
    status: int
    body: bytes = field(repr=False)
    date: str | None = None
    retry_after: float | None = None
    location: str | None = None
    """Where a redirect leads."""
    index: str | None = None
    """How far the server's storage was, where it tells (`X-Vault-Index`)."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError:
            raise errors.not_vault(self.where) from None

    def json(self) -> dict[str, Any]:
        """The body. StoreUnavailable where it is not a JSON object."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise errors.not_vault(self.where)
        return found

    def error(self) -> StorePluginError:
        """What this answer means where it is no success."""
        try:
            texts = [text for text in self.json().get("errors") or () if isinstance(text, str)]
        except StorePluginError:
            texts = [_PLAIN] if _PLAIN.encode() in self.body else []
        return errors.from_status(self.status, texts, self.where, self.retry_after)


def seconds(retry_after: str | None) -> float | None:
    """The header Retry-After where it is a number of seconds."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
