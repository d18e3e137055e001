"""Requests to whichever server of a cluster serves them.

A standby that does not forward names the active node, and a node that lags behind asks to
be asked again; everything else is passed on as it is.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from stores.vault import errors
from stores.vault.cluster.index import LastIndex
from stores.vault.cluster.redirect import REDIRECTS, target_of
from stores.vault.http.answer import Answer
from stores.vault.http.transport import Transport

_LAGGING = 412
_MAY_LAG = 429
_ABOUT_THE_CLUSTER = REDIRECTS | {_LAGGING, _MAY_LAG}
_READS = frozenset({"GET", "LIST", "HEAD"})
_MOST_HOPS = 2
_MOST_NODES = 4
"""Servers besides the configured one that connections are kept to."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0

OpenTo = Callable[[str], Transport]
"""A transport to the server at an address."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    query: Mapping[str, str] | None


class ClusterTransport:
    """A `Transport` to the server at `server`, and to those it names."""

    def __init__(
        self,
        server: str,
        open_to: OpenTo,
        timeout: float,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._server = server
        self._open_to = open_to
        self._timeout = timeout
        self._sleep = sleep
        self._jitter = jitter
        self._home = open_to(server)
        self._nodes: OrderedDict[str, Transport] = OrderedDict()
        self._index = LastIndex()

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """As `Transport.send` says; the answer is that of the server which served the request."""
        answer = await self._home.send(method, path, self._index.added(headers), body, query)
        if answer.index is not None and method not in _READS:
            self._index.note(answer.index)
        if answer.status not in _ABOUT_THE_CLUSTER:
            return answer
        return await self._settled(answer, _Request(method, path, headers, body, query))

    def reload(self) -> None:
        for transport in (self._home, *self._nodes.values()):
            transport.reload()

    async def aclose(self) -> None:
        for transport in (self._home, *self._nodes.values()):
            await transport.aclose()

    async def _settled(self, answer: Answer, request: _Request) -> Answer:
        """Follow and wait, until a server serves the request or none will. A request that
        was sent on, or back, has done nothing."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._timeout
        server, hops, pause = self._server, 0, _FIRST_PAUSE
        while True:
            if answer.status in REDIRECTS:
                hops += 1
                server = _followed(answer, request.path, server, hops)
            elif self._lags(answer):
                wait = pause * (1 - self._jitter() / 2)
                if clock() + wait >= deadline:
                    raise errors.from_status(_LAGGING, [], answer.where)
                await self._sleep(wait)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return answer
            answer = await self._ask(server, request)

    def _lags(self, answer: Answer) -> bool:
        """Whether the server has yet to see what we have written. One that limits requests
        says so in `errors`."""
        if answer.status == _MAY_LAG:
            return self._index.value is not None and answer.body.strip() == b'{"errors":[]}'
        return answer.status == _LAGGING

    async def _ask(self, server: str, request: _Request) -> Answer:
        node = self._home if server == self._server else await self._node(server)
        headers = self._index.added(request.headers)
        answer = await node.send(request.method, request.path, headers, request.body, request.query)
        if answer.index is not None and request.method not in _READS:
            self._index.note(answer.index)
        return answer

    async def _node(self, server: str) -> Transport:
        if server not in self._nodes:
            self._nodes[server] = self._open_to(server)
        self._nodes.move_to_end(server)
        if len(self._nodes) > _MOST_NODES:
            _, oldest = self._nodes.popitem(last=False)
            await oldest.aclose()
        return self._nodes[server]


def _followed(answer: Answer, path: str, server: str, hops: int) -> str:
    """Where the request goes next. StoreUnavailable where it must not go on."""
    if hops > _MOST_HOPS:
        raise errors.unavailable(answer.where, "the servers send us from one to the other; wait for a leader")
    target = target_of(answer.location, path, server)
    if target is None:
        raise errors.from_status(answer.status, [], answer.where)
    return target
