"""HTTP/1.1 with no more than Vault's API needs, and so for less than half of a general client's
CPU (docs/decisions/0012-a-lean-http-client.md, also for what it does not do)."""

import asyncio
import socket
import ssl
from collections.abc import Mapping

from store_plugin.store import Environment
from stores.vault import errors
from stores.vault.http.answer import Answer
from stores.vault.http.connection import Connection, Unanswered
from stores.vault.http.pool import Pool
from stores.vault.http.request import RequestEncoder
from stores.vault.http.response import HttpFailure
from stores.vault.http.transport import CONNECT_SECONDS, IDLE_SECONDS, MOST_CONNECTIONS
from stores.vault.http.trust import Trust
from stores.vault.spec import VaultSpec

_REPEATABLE = frozenset({"GET", "LIST", "HEAD", "DELETE"})


class LeanTransport:
    """A `Transport` over connections of our own."""

    def __init__(self, spec: VaultSpec, environment: Environment) -> None:
        self._loop = asyncio.get_running_loop()
        self._requests = RequestEncoder(spec.server)
        self._trust = Trust(spec, environment)
        self._server_name = spec.tls_server_name or self._requests.host
        self._timeout = spec.timeout
        self._config = environment.config
        self._pool = Pool(self._dial, MOST_CONNECTIONS, IDLE_SECONDS)

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """As `Transport.send` says. A kept connection that the server closed meanwhile costs
        nothing but a new one, unless a write may have been done: that is StoreUnavailable."""
        where = f"{self._config}: {method} {path}"
        request = self._requests.encode(method, path, headers, body, query)
        try:
            return await self._answer(request, where, method)
        except HttpFailure as failure:
            raise errors.unavailable(where, str(failure)) from None
        except OSError as error:
            cause = await self._trust.cause(
                error, self._requests.host, self._requests.port, self._server_name
            )
            raise errors.from_exception(cause, where) from None

    def reload(self) -> None:
        if self._trust.encrypted:
            self._trust.forget()
            self._pool.retire()

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _answer(self, request: bytes, where: str, method: str) -> Answer:
        deadline = self._loop.time() + self._timeout
        repeatable = method in _REPEATABLE
        connection = self._pool.take(surely_alive=not repeatable) or await self._pool.acquire(deadline)
        try:
            return await connection.exchange(request, where, deadline, head_only=method == "HEAD")
        except Unanswered:
            if not repeatable:
                raise
        finally:
            self._pool.release(connection)
        connection = await self._pool.acquire(deadline, fresh=True)
        try:
            return await connection.exchange(request, where, deadline, head_only=method == "HEAD")
        finally:
            self._pool.release(connection)

    async def _dial(self, connection: Connection) -> None:
        context = await self._trust.load()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connect(connection, context)
        except TimeoutError:
            raise HttpFailure(f"no connection within {CONNECT_SECONDS:.0f} seconds") from None

    async def _connect(self, connection: Connection, context: ssl.SSLContext | None) -> None:
        """To the first address that takes it. The loop is asked for them: one that has its own
        way to look names up would not be asked by its `create_connection`."""
        name = self._server_name if context else None
        host, port = self._requests.host, self._requests.port
        failure: OSError | None = None
        for *_, address in await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                await self._loop.create_connection(
                    lambda: connection, str(address[0]), port, ssl=context, server_hostname=name
                )
                return
            except ssl.SSLError:
                raise
            except OSError as error:
                failure = failure or error
        raise failure or OSError(f"{host} has no address")
