"""The adapter of the KV calls: each request carries the session's token, and one that is
refused because the token died is sent once more with a new one."""

from collections.abc import Mapping

from stores.vault.adapter import VaultAdapter, headers_for
from stores.vault.http.answer import Answer
from stores.vault.http.transport import Transport
from stores.vault.session.session import Session


class AuthorizedAdapter(VaultAdapter):
    """Sending again is safe: a request refused with 403 has done nothing."""

    def __init__(self, transport: Transport, session: Session) -> None:
        super().__init__(transport, {})
        self._session = session

    async def _send(
        self, method: str, url: str, body: bytes | None, query: Mapping[str, str] | None
    ) -> Answer:
        token = await self._session.token()
        answer = await self._transport.send(method, url, headers_for(method, token.headers), body, query)
        if answer.status != 403:
            return answer
        successor = await self._session.after_refusal(token)
        if successor is None:
            return answer
        return await self._transport.send(method, url, headers_for(method, successor.headers), body, query)
