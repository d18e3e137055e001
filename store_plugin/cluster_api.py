"""Requests to a Kubernetes API server over an ApiClient of the kubernetes library.

Whoever uses it brings the client, of either kind, and nothing of the library is imported
here: its typed classes cost seconds and memory, and show what they were given when they
refuse it. Only the two methods that all its calls are made of are used; both kinds
(`kubernetes.client`, `kubernetes.aio.client`, from 37 on) have them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from store_plugin import deep_json
from store_plugin.errors import (
    Conflict,
    InvalidRequest,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
    Throttled,
)
from store_plugin.running import settled

MERGE_PATCH = "application/merge-patch+json"
TIMEOUT = 30.0
"""Seconds for one request."""

Json = Mapping[str, Any]

_NOT_FOUND = 404
_LONGEST_TEXT = 500
"""Characters of what an API server says that are passed on."""
_LIBRARIES = ("aiohttp", "kubernetes", "urllib3")
_CLASS_OF_STATUS: Mapping[int, type[StorePluginError]] = {
    400: InvalidRequest,
    401: LoginRefused,
    403: StoreDenied,
    409: Conflict,
    410: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
    429: Throttled,
}


class ApiClient(Protocol):
    """What is used of the library's ApiClient."""

    @property
    def param_serialize(self) -> Callable[..., Any]: ...

    @property
    def call_api(self) -> Callable[..., Any]: ...


class ClusterApi:
    """JSON in, JSON out, errors of ours. `accept`: for answers that are less than whole objects."""

    def __init__(self, client: ApiClient, accept: str = "application/json") -> None:
        self._client = client
        self._accept = accept

    async def find(self, path: str, **names: str) -> Json | None:
        """The object at `path`, whose `{names}` are put in quoted; None where there is none."""
        return _found(*await self._request("GET", path, names))

    async def send(
        self, method: str, path: str, body: Json, *, content_type: str = "application/json", **names: str
    ) -> Json | None:
        """The answer; None where there is nothing at `path`. Conflict where the object is not
        as expected, or not expected there."""
        return _found(*await self._request(method, path, names, body, content_type=content_type))

    async def change(
        self,
        method: str,
        path: str,
        names: Mapping[str, str],
        body: Json,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json | None:
        """As `send`, with a query."""
        return _found(
            *await self.answer(method, path, names, query=query, body=body, content_type=content_type)
        )

    async def answer(
        self,
        method: str,
        path: str,
        names: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Json]:
        """Status and answer, whatever they are. StoreUnavailable where there is none."""
        response = await self._respond(method, path, names, body, content_type=content_type, query=query)
        return response.status, await _read(response)

    async def stream(
        self, path: str, names: Mapping[str, str], query: Mapping[str, str], timeout: object
    ) -> Any:
        """The HTTP library's own response to a GET, whatever its status, its body not read;
        `timeout` is the library's too."""
        return (await self._respond("GET", path, names, query=query, timeout=timeout)).response

    async def _request(
        self,
        method: str,
        path: str,
        names: Mapping[str, str],
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Json]:
        response = await self._respond(method, path, names, body, content_type=content_type)
        return response.status, await _read(response)

    async def _respond(
        self,
        method: str,
        path: str,
        names: Mapping[str, str],
        body: Json | None = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        timeout: object = TIMEOUT,
    ) -> Any:
        with an_answer():
            request = await settled(
                self._client.param_serialize(
                    method,
                    path,
                    path_params=dict(names),
                    query_params=list((query or {}).items()),
                    header_params={"Accept": self._accept, "Content-Type": content_type},
                    body=body,
                    auth_settings=["BearerToken"],
                )
            )
            return await settled(self._client.call_api(*request, _request_timeout=timeout))


@contextmanager
def an_answer() -> Iterator[None]:
    """StoreUnavailable for a request that got none. The two kinds of client stand on two
    HTTP libraries, none of which is imported here: their errors are told by where they
    come from. Any other error is a mistake and stays what it is."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _LIBRARIES and not isinstance(error, OSError):
            raise
        told = f"the API server gave no answer ({type(error).__name__})"
        raise StoreUnavailable(told, retry_after=1.0) from error


async def _read(response: Any) -> Json:
    with an_answer():
        text = await settled(response.read())
    try:
        content = deep_json.loads(text or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _found(status: int, answer: Json) -> Json | None:
    return None if status == _NOT_FOUND else _checked(status, answer)


def _checked(status: int, answer: Json) -> Json:
    if status < 300:
        return answer
    told = str(answer.get("message") or f"status {status}")[:_LONGEST_TEXT]
    cls = _CLASS_OF_STATUS.get(status, StoreUnavailable)
    raise cls(
        f"the API server answers: {told}", retry_after=1.0 if cls in (Throttled, StoreUnavailable) else None
    )
