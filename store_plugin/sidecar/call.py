"""A call on its way through the interceptors, and what an interceptor is.

Interceptors are plain wrappers, composed once per method and listener when the server is
built: grpc.aio's own are paid for on every request (docs/decisions/0003).
"""

from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""Largest message in either direction: well above the largest secret that may be sent, so
that one that is too large gets an answer that says so."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(slots=True, eq=False)
class Call:
    """One call: what the interceptors learn about it, filled in as it goes."""

    context: Context
    method: str
    request_id: str = ""
    callers: tuple[str, ...] = ()
    """SANs of the client's certificate, or `local`."""
    config: str = ""
    """`KIND/NAME` once the request was read; for log lines."""
    kind: str = "unknown"
    """Kind of the config once it was found to be served; bounded, so fit for a metric."""
    name: str = ""
    started: float = field(default=0.0)


current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
"""The call that the running task serves, for log lines."""

Handler = Callable[[bytes, Call], Awaitable[bytes]]
"""Serialized request in, serialized response out; raises StorePluginError."""

Interceptor = Callable[[Handler], Handler]


def compose(handler: Handler, interceptors: Iterable[Interceptor]) -> Handler:
    """`handler` inside `interceptors`, the first one outermost."""
    for interceptor in reversed(tuple(interceptors)):
        handler = interceptor(handler)
    return handler
