"""HTTP to one server: a pool of kept-alive connections and TLS as the config says.

Nothing here knows tokens or KV: a request has headers and a body, an answer has a status
and a body, and the network's errors are ours when they leave.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from store_plugin.errors import ConfigInvalid, StorePluginError
from store_plugin.store import Credentials
from stores.vault import errors
from stores.vault.spec import VaultSpec

_CONNECT_SECONDS = 5.0
_KEEPALIVE_SECONDS = 60.0
_MOST_CONNECTIONS = 100
_SKIPPED = ("Accept-Encoding", "User-Agent", "Accept")
_RAISED = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered. `where` names the request in messages."""

    where: str
    status: int
    body: bytes = field(repr=False)
    date: str | None = None
    retry_after: float | None = None

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
            texts = []
        return errors.from_status(self.status, texts, self.where, self.retry_after)


class Transport:
    """Requests to the server of one config. Opens no connection before the first."""

    def __init__(self, spec: VaultSpec, credentials: Credentials, config: str) -> None:
        self._base = spec.server
        self._trust = Trust(spec, credentials)
        self._server_name = spec.tls_server_name
        self._config = config
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_MOST_CONNECTIONS, keepalive_timeout=_KEEPALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=spec.timeout, sock_connect=_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SKIPPED,
        )

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, whatever its status. `path` is quoted already.

        StoreUnavailable (no connection, a broken one), DeadlineExceeded (the config's
        timeout), ConfigInvalid (a CA bundle that is none).
        """
        where = f"{self._config}: {method} {path}"
        url = URL(self._base + path, encoded=True)
        try:
            async with self._client.request(
                method,
                url.with_query(query) if query else url,
                headers=headers,
                data=body,
                ssl=self._trust.context or await self._trust.load(),
                server_hostname=self._server_name,
                # A redirect would take the token to wherever the answer says.
                allow_redirects=False,
            ) as response:
                content = await response.read()
                date, retry_after = response.headers.get("Date"), response.headers.get("Retry-After")
                return Answer(where, response.status, content, date, _seconds(retry_after))
        except _RAISED as error:
            raise errors.from_exception(error, where) from None

    def reload(self) -> None:
        """Read the CA bundle again before the next request."""
        self._trust.forget()

    async def aclose(self) -> None:
        await self._client.close()


class Trust:
    """The TLS context, made off the event loop when first needed: loading the system's
    certificates takes tens of milliseconds."""

    def __init__(self, spec: VaultSpec, credentials: Credentials) -> None:
        self._encrypted = urlsplit(spec.server).scheme == "https"
        self._credentials = credentials
        self._loading = asyncio.Lock()
        self.context: ssl.SSLContext | bool | None = None
        self.forget()

    def forget(self) -> None:
        self.context = None if self._encrypted else True

    async def load(self) -> ssl.SSLContext | bool:
        """One context for all who wait: connections are kept per context."""
        async with self._loading:
            if self.context is None:
                has_bundle = self._credentials.has("caBundle")
                bundle = self._credentials.get("caBundle") if has_bundle else None
                self.context = await asyncio.to_thread(_context, bundle)
            return self.context


def _context(bundle: bytes | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=None if bundle is None else bundle.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ConfigInvalid("caBundle holds no PEM certificates") from None


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
