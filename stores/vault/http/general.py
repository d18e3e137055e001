"""HTTP by aiohttp: for servers that the lean client cannot talk to.

aiohttp's errors become ours here. They may carry a request's headers, and so its token:
only names and what is about the network leave.
"""

import ssl
from collections.abc import Mapping

import aiohttp
from yarl import URL

from store_plugin.errors import ConfigInvalid, DeadlineExceeded, StorePluginError
from store_plugin.store import Environment
from stores.vault import errors
from stores.vault.http.answer import MAX_BODY_BYTES, Answer, seconds
from stores.vault.http.transport import CONNECT_SECONDS, IDLE_SECONDS, MOST_CONNECTIONS
from stores.vault.http.trust import Trust
from stores.vault.spec import VaultSpec

_SKIPPED = ("Accept-Encoding", "User-Agent", "Accept")
_BROKEN_OFF = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)
_RAISED = (aiohttp.ClientError, TimeoutError, OSError)


class AiohttpTransport:
    """A `Transport` over one session of aiohttp."""

    def __init__(self, spec: VaultSpec, environment: Environment) -> None:
        self._base = spec.server
        self._trust = Trust(spec, environment)
        self._server_name = spec.tls_server_name
        self._config = environment.config
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=spec.timeout, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SKIPPED,
            # Nothing was asked for compressed: what is all the same may be a thousand times its size.
            auto_decompress=False,
        )

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """As `Transport.send` says."""
        where = f"{self._config}: {method} {path}"
        url = URL(self._base + path, encoded=True)
        try:
            async with self._client.request(
                method,
                url.with_query(query) if query else url,
                headers=headers,
                data=body,
                ssl=await self._trust.load() or True,
                server_hostname=self._server_name,
                # A redirect would take the token to wherever the answer says: see cluster/redirect.py.
                allow_redirects=False,
            ) as response:
                content = await _content(response, where)
                header = response.headers.get
                return Answer(
                    where,
                    response.status,
                    content,
                    header("Date"),
                    seconds(header("Retry-After")),
                    header("Location"),
                    header("X-Vault-Index"),
                )
        except _RAISED as error:
            raise await self._explained(error, where) from None

    async def _explained(self, error: BaseException, where: str) -> StorePluginError:
        if isinstance(error, _BROKEN_OFF) and not isinstance(error, aiohttp.ClientConnectorError):
            address = URL(self._base)
            name = self._server_name or address.host or ""
            cause = await self._trust.cause(ConnectionError(), address.host or "", address.port or 443, name)
            if isinstance(cause, ssl.SSLError):
                return errors.from_tls(cause, where)
        return translated(error, where)

    def reload(self) -> None:
        self._trust.forget()

    async def aclose(self) -> None:
        await self._client.close()


async def _content(response: aiohttp.ClientResponse, where: str) -> bytes:
    """The body. StoreUnavailable for one without a reasonable end."""
    content = bytearray()
    async for some in response.content.iter_any():
        content += some
        if len(content) > MAX_BODY_BYTES:
            response.close()
            told = f"the body of the answer is larger than {MAX_BODY_BYTES // 1024} KiB"
            raise errors.unavailable(where, told)
    return bytes(content)


def translated(error: BaseException, where: str) -> StorePluginError:
    """The error for what aiohttp raised. Raise it `from None`."""
    if not isinstance(error, aiohttp.ClientError):
        return errors.from_exception(error, where)
    name = type(error).__name__
    if isinstance(error, aiohttp.InvalidURL):
        return ConfigInvalid(f"{where}: {name}")
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
        return DeadlineExceeded(f"{where}: {name}")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return errors.from_exception(error.certificate_error, where)
    if isinstance(error, aiohttp.ClientConnectorError):
        return errors.from_exception(error.os_error, where)
    return errors.unavailable(where, name)
