"""Requests to the API server: JSON in, JSON out, errors of ours.

Only the two methods of the library that all its calls are made of are used: its typed
classes show what they were given when they refuse it.
"""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from store_plugin.errors import (
    Conflict,
    InvalidRequest,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
    Throttled,
    TooLarge,
)
from store_plugin.store import ClusterClient
from stores.kubernetes.objects import Json

MERGE_PATCH = "application/merge-patch+json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MOST_BYTES = 32 * 1024 * 1024
"""Of an answer; a page of five hundred names takes a thirtieth of it."""
_LONGEST_TEXT = 500
_RETRY_SECONDS = 1.0
_NOT_FOUND = 404
_ERRORS: Mapping[int, type[StorePluginError]] = {
    400: InvalidRequest,
    401: LoginRefused,
    403: StoreDenied,
    409: Conflict,
    413: TooLarge,
    422: InvalidRequest,
    429: Throttled,
}


class Api:
    """One API server. `timeout` bounds each request, in seconds."""

    def __init__(self, client: ClusterClient, timeout: float) -> None:
        self._client = client
        self._timeout = timeout

    async def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Json | None:
        """The answer; None where there is nothing at `path`."""
        request = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response: Any = await self._client.call_api(*request, None, self._timeout)
            content = await _content(response.response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(
                f"the API server gave no answer ({type(error).__name__})", retry_after=_RETRY_SECONDS
            ) from None
        return None if response.status == _NOT_FOUND else _checked(response.status, content)

    async def aclose(self) -> None:
        await self._client.close()


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """The body. StoreUnavailable for one that does not end."""
    content = bytearray()
    try:
        async for some in response.content.iter_any():
            content += some
            if len(content) > MOST_BYTES:
                raise StoreUnavailable(f"the API server's answer is larger than {MOST_BYTES} bytes")
    except BaseException:
        response.close()
        raise
    return bytes(content)


def _checked(status: int, content: bytes) -> Json:
    answer = _object(content)
    if status < 300:
        if answer is None:
            raise StoreUnavailable("what answers is no API server", retry_after=_RETRY_SECONDS)
        return answer
    error = _ERRORS.get(status, StoreUnavailable)
    told = str((answer or {}).get("message") or f"status {status}")[:_LONGEST_TEXT]
    waits = _RETRY_SECONDS if error in (Throttled, StoreUnavailable) else None
    raise error(f"the API server answers: {told}", retry_after=waits)


def _object(content: bytes) -> Json | None:
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
