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
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(
                f"the API server gave no answer ({type(error).__name__})", retry_after=_RETRY_SECONDS
            ) from None
        return None if response.status == _NOT_FOUND else _checked(response.status, content)

    async def aclose(self) -> None:
        await self._client.close()


def _checked(status: int, content: bytes) -> Json:
    try:
        answer = json.loads(content or b"{}")
    except ValueError:
        answer = {}
    if status < 300:
        return answer if isinstance(answer, dict) else {}
    error = _ERRORS.get(status, StoreUnavailable)
    told = answer.get("message") if isinstance(answer, dict) else None
    waits = _RETRY_SECONDS if error in (Throttled, StoreUnavailable) else None
    raise error(f"the API server answers: {told or f'status {status}'}", retry_after=waits)
