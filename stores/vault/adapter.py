"""hvac's API classes over asyncio: an Adapter whose `request` is a coroutine.

hvac's methods build a path and a body and return what their adapter returns, so over this
one they return awaitables. Methods that look into a response before they return it cannot
work over a coroutine; used here are only: KvV1.read_secret, create_or_update_secret (with
`method`), delete_secret, list_secrets; KvV2.create_or_update_secret, update_metadata,
delete_metadata_and_all_versions, list_secrets; Token.lookup_self, renew_self,
revoke_self; the `login` of AppRole, Kubernetes, JWT and Userpass; of SystemBackend
get_capabilities and unwrap.
"""

import json
from collections.abc import Mapping

from hvac.adapters import Adapter

from stores.vault import errors
from stores.vault.http.answer import Answer
from stores.vault.http.transport import Transport


class RawJson(str):
    """JSON text that goes into a body as it is."""

    __slots__ = ()


class VaultAdapter(Adapter):  # type: ignore[misc]  # hvac is not typed
    """Sends with fixed headers. Every method returns a coroutine for an `Answer`: a
    success, or 404 where nothing is stored; anything else raises."""

    def __init__(self, transport: Transport, headers: Mapping[str, str]) -> None:
        # Adapter's own constructor would open a session of the requests library.
        self._transport = transport
        self._headers = headers

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        raise_exception: bool = True,
        *,
        json: object = None,
        params: Mapping[str, object] | None = None,
        wrap_ttl: None = None,
    ) -> Answer:
        body = None if json is None else to_json(json)
        query = {key: str(value) for key, value in params.items()} if params else None
        return checked(await self._send(method.upper(), url, body, query))

    async def patch(self, url: str, changes: Mapping[str, object]) -> Answer:
        """A JSON merge patch (RFC 7396), which hvac does not know. Unlike elsewhere the
        answer has any status, and None means "remove"."""
        return await self._send("PATCH", url, _dumped(changes).encode("utf-8"), None)

    async def _send(
        self, method: str, url: str, body: bytes | None, query: Mapping[str, str] | None
    ) -> Answer:
        return await self._transport.send(method, url, headers_for(method, self._headers), body, query)

    async def login(self, url: str, use_token: bool = True, *, json: object = None) -> Answer:
        """The answer to a login; the token in it is kept by the session, not here."""
        return await self.request("POST", url, json=json)

    def get_login_token(self, response: Answer) -> str:
        raise NotImplementedError("the session reads the token")

    def close(self) -> None:
        raise NotImplementedError("the transport is closed by the store")


def base_headers(namespace: str) -> dict[str, str]:
    """Headers of every request in a namespace."""
    headers = {"X-Vault-Request": "true", "Content-Type": "application/json", "User-Agent": "store-plugin"}
    return {**headers, "X-Vault-Namespace": namespace} if namespace else headers


def headers_for(method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    """`headers`, as a request of this method needs them."""
    if method != "PATCH":
        return headers
    return {**headers, "Content-Type": "application/merge-patch+json"}


def to_json(body: object) -> bytes:
    """`body` as hvac built it, where None means "left out": hvac cannot leave fields out,
    and a null or a default would overwrite what the server holds."""
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if value is not None}
    return _dumped(body).encode("utf-8")


def _dumped(value: object) -> str:
    if isinstance(value, RawJson):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_dumped(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def checked(answer: Answer) -> Answer:
    """`answer` where it is a success or says that nothing is stored; raises what else it means."""
    if answer.ok:
        return answer
    if answer.status == 404:
        return _missing(answer)
    raise answer.error()


def _missing(answer: Answer) -> Answer:
    """404 has many meanings. Nothing stored: no errors, or a tombstone under `data`. A
    missing mount or namespace says so in `errors`, the wrong KV version in `warnings`."""
    body = answer.json()
    if body.get("data") is not None or body.get("errors") == []:
        return answer
    texts = [text for text in (*(body.get("errors") or ()), *(body.get("warnings") or ())) if text]
    if not texts:
        raise errors.not_vault(answer.where)
    raise errors.from_status(404, [str(text) for text in texts], answer.where, None)
