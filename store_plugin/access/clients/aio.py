"""Clients of the kubernetes library for asyncio, logged in with what exec plugins give."""

import asyncio
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject

from store_plugin.access.clients.member import REFUSED, Member, authorized
from store_plugin.access.exec_credential import ExecStatus

_KEPT = 2
"""Sessions with an older certificate that are left open for answers under way."""


class _Token:
    """Asked by the library before each request: puts the token of now into the configuration."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._shown: dict[str, ExecStatus] = {}

    def __deepcopy__(self, _memo: dict[int, Any]) -> "_Token":
        return self

    async def __call__(self, configuration: Configuration) -> None:
        status = await self._member.login.current_async()
        bearer = self._member.bearer(status)
        configuration.api_key["BearerToken"] = bearer
        self._shown = {**dict(list(self._shown.items())[-1:]), bearer: status}

    def refused(self, shown: str) -> None:
        """The server refused a request with this header."""
        status = self._shown.get(shown)
        if status is not None:
            self._member.login.refused(status)


def configuration(member: Member) -> Configuration:
    """For a plain ApiClient. ConfigInvalid where the profile says what cannot be used. A refused
    request is not sent again, as in client-go: the next one has a new token."""
    made = _bare(member)
    token = _Token(member)
    made.api_key["BearerToken"] = ""  # there is one: the library asks for it
    made.refresh_api_key_hook = token  # type: ignore[assignment]  # the library says None only
    made.trace_configs = [_staying(), _watching(token)]
    return made


def _watching(token: _Token) -> aiohttp.TraceConfig:
    async def ended(_session: object, _context: object, request: aiohttp.TraceRequestEndParams) -> None:
        if request.response.status == REFUSED:
            token.refused(request.headers.get("authorization", ""))

    watching = aiohttp.TraceConfig()
    watching.on_request_end.append(ended)
    return watching


def _staying() -> aiohttp.TraceConfig:
    async def refuse(_session: object, _context: object, asked: aiohttp.TraceRequestRedirectParams) -> None:
        asked.response.close()
        raise aiohttp.ClientError("the API server sends us elsewhere")

    staying = aiohttp.TraceConfig()
    staying.on_request_redirect.append(refuse)
    return staying


class AsyncClusterClient(ApiClient):
    """An ApiClient that logs in anew when it must, with a token or a client certificate.

    A request that is refused (401) is sent once more with a new credential: the server did
    nothing of it. Errors of the plugin are raised as classes of `store_plugin.errors`.
    """

    def __init__(self, member: Member) -> None:
        member.check_authority()
        super().__init__(_bare(member))
        self._member = member
        self._certificate: bytes = b""
        self._changing = asyncio.Lock()
        self._outdated: list[RESTClientObject] = []

    async def call_api(
        self,
        method: Any,
        url: Any,
        header_params: Any = None,
        body: Any = None,
        post_params: Any = None,
        _request_timeout: Any = None,
        _preload_content: bool = True,
    ) -> Any:
        async def send(status: ExecStatus) -> Any:
            await self._show(status)
            headers = authorized(header_params, status)
            return await ApiClient.call_api(self, method, url, headers, body, post_params, _request_timeout)

        status = await self._member.login.current_async()
        response = await send(status)
        if response.status != REFUSED:
            return response
        response.response.release()
        self._member.login.refused(status)
        return await send(await self._member.login.current_async())

    async def close(self) -> None:
        """End all connections; requests under way fail."""
        await super().close()  # type: ignore[no-untyped-call]
        while self._outdated:
            await self._outdated.pop().close()

    async def _show(self, status: ExecStatus) -> None:
        """Connect with this certificate from now on; requests under way keep theirs."""
        if status.certificate == self._certificate:
            return
        async with self._changing:
            if status.certificate == self._certificate:
                return
            path = None
            if status.certificate:
                path = str(await asyncio.to_thread(self._member.certificate_file, status))
            self.configuration.cert_file = self.configuration.key_file = path
            self._outdated.append(self.rest_client)
            self.rest_client = RESTClientObject(self.configuration)
            self._certificate = status.certificate
            while len(self._outdated) > _KEPT:
                await self._outdated.pop(0).close()


def _bare(member: Member) -> Configuration:
    """Without a login. aiohttp asks for compressed answers unless it is told not to, and goes wherever
    an answer sends it: what is asked of a cluster is asked of no other server, and never in the clear."""
    made = Configuration(**member.arguments())
    made.trace_configs = [_staying()]
    if member.access.disable_compression:
        made.client_session_kwargs = {"headers": {"Accept-Encoding": "identity"}}
    return made
