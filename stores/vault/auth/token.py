"""Login with a token that somebody else made: it is looked up, never revoked."""

from typing import ClassVar

from hvac.api.auth_methods import Token

from store_plugin.errors import StoreDenied
from store_plugin.store import Credentials
from stores.vault import errors
from stores.vault.auth.grant import AdapterFor, Grant, credential
from stores.vault.http.answer import Answer


class TokenMethod:
    """The token of `auth.token`."""

    obtains: ClassVar[bool] = False
    block: ClassVar[str] = "auth.token"
    advice: ClassVar[str] = "it is wrong, expired or revoked: put a new token where auth.token points"

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def login(self, adapter_for: AdapterFor) -> Grant:
        token = credential(self._credentials.get("auth.token"), "auth.token")
        try:
            answer: Answer = await Token(adapter_for(token)).lookup_self()
        except StoreDenied as denied:
            if lacks_lookup(denied):
                return Grant(token)
            raise
        data = answer.json().get("data")
        if not isinstance(data, dict):
            raise errors.not_vault(answer.where)
        return Grant(token, float(data.get("ttl") or 0), bool(data.get("renewable")))


def lacks_lookup(denied: StoreDenied) -> bool:
    """Whether a token lives, but its policies do not let it look itself up. The server's
    policy check says "1 error occurred"; an unknown token does not get that far."""
    return "1 error occurred" in denied.message
