"""Admin HTTP: probes, metrics, and the state of every config.

Readiness means serving: a broken config never makes the Pod unready, it shows in the
probe's body, in a metric and in the calls that use it. There may be ten thousand configs:
no page looks at all of them in one go, calls are served in between.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Protocol

from aiohttp import web

from store_plugin.config.declarations import Problem
from store_plugin.config.source import ConfigSource
from store_plugin.dispatch.state import ConfigState, Counts
from store_plugin.errors import InvalidRequest
from store_plugin.sidecar.metrics import Metrics
from store_plugin.sidecar.settings import host_and_port
from store_plugin.sockets import why_not_bound
from store_plugin.watching.state import WatchState

_MOST_BROKEN = 20
"""Most configs and problems that the readiness probe tells of."""
_AT_ONCE = 20
_PAUSE = 0.001
"""Entries of a page that are made in one go, and seconds for others until the next: a call
takes many turns of the event loop, so each must be short and leave time."""


class Configs(Protocol):
    """How the store configs are doing; the router."""

    def states(self) -> Iterator[ConfigState]: ...
    def broken(self) -> Iterator[ConfigState]: ...
    def counts(self) -> Counts: ...


class Shown(Protocol):
    """An entry of a page."""

    def as_json(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class View:
    """What the pages show, read when they are asked for."""

    serving: Callable[[], bool]
    configs: Configs
    source: ConfigSource
    metrics: Metrics
    plugins: Callable[[], Sequence[Shown]] | None = None
    """Of a sidecar that listens for plugins."""
    other_problems: Callable[[], Sequence[Problem]] = tuple
    """In files other than the manifests."""

    @property
    def problems(self) -> Sequence[Problem]:
        """In all that it reads."""
        return [*self.source.problems, *self.other_problems()]


class AdminServer:
    """The HTTP servers of a sidecar: the full one, the bare probes, and the metrics alone."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._runners: list[web.AppRunner] = []

    async def start(
        self, admin_listen: str, health_listen: str | None, metrics_listen: str | None = None
    ) -> None:
        """Serve on all that are given; InvalidRequest where an address cannot be bound."""
        alive, metrics = web.get("/healthz", self._healthz), web.get("/metrics", self._metrics)
        pages = [metrics, web.get("/configs", self._configs)]
        if self._view.plugins is not None:
            pages.append(web.get("/plugins", self._plugins))
        in_full = web.get("/readyz", self._readyz_in_full)
        await self._serve("--admin-listen", admin_listen, [alive, in_full, *pages])
        if health_listen is not None:
            await self._serve("--health-listen", health_listen, [alive, web.get("/readyz", self._readyz)])
        if metrics_listen is not None:
            await self._serve("--metrics-listen", metrics_listen, [metrics])

    async def stop(self) -> None:
        """Close all servers."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _serve(self, option: str, address: str, routes: list[web.RouteDef]) -> None:
        application = web.Application()
        application.add_routes(routes)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        host, port = host_and_port(address)
        try:
            await web.TCPSite(runner, None if host == "*" else host, port).start()
        except OSError as error:
            raise InvalidRequest(f"{option} {address}: {why_not_bound(error)}") from None

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        """The bare answer, for an address that others than the node's admin can reach."""
        if not self._view.serving():
            return web.Response(status=503, text="not serving\n")
        return web.Response(text="ok: serving\n")

    async def _readyz_in_full(self, _request: web.Request) -> web.Response:
        behind = list(map(_behind, self._behind()))
        if not self._view.serving():
            return web.Response(status=503, text="\n".join(["not serving", *behind]) + "\n")
        configs = self._view.configs
        shown = list(islice(configs.broken(), _MOST_BROKEN))
        lines = ["ok: serving", *behind, *(f"{state.reference}: {state.last_error}" for state in shown)]
        if (more := configs.counts().broken - len(shown)) > 0:
            lines.append(f"and {more} more: see /configs")
        else:
            lines += self._beside(shown)
        return web.Response(text="\n".join(lines) + "\n")

    def _beside(self, broken: Sequence[ConfigState]) -> Iterator[str]:
        """Problems that make no config a broken one, such as a credential that is gone while its last
        value stays in use; `broken` are all the configs that are."""
        told = [state.last_error or "" for state in broken]
        rest = (str(one) for one in self._view.source.problems if not any(str(one) in text for text in told))
        yield from islice(rest, _MOST_BROKEN - len(broken))
        if next(rest, None) is not None:
            yield "and more problems: see /configs"

    def _behind(self) -> Iterator[WatchState]:
        """The parts of the config source whose changes would go unseen now; some of them."""
        watches = self._view.source.state.watches
        return islice((watch for watch in watches if not watch.synced), _MOST_BROKEN)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._view.metrics.render(), content_type="text/plain", charset="utf-8")

    async def _configs(self, _request: web.Request) -> web.Response:
        configs = await _as_json(state.as_json() for state in self._view.configs.states())
        problems = await _as_json(asdict(problem) for problem in self._view.problems)
        state = self._view.source.state
        watches = await _as_json(asdict(watch) for watch in state.watches)
        head = f'"synced": {json.dumps(state.synced)}, "behind_seconds": {state.behind:.1f}'
        source = f'{{{head}, "watches": {watches}}}'
        body = f'{{"configs": {configs},\n"problems": {problems},\n"source": {source}}}\n'
        return web.Response(text=body, content_type="application/json")

    async def _plugins(self, _request: web.Request) -> web.Response:
        assert self._view.plugins is not None
        plugins = await _as_json(plugin.as_json() for plugin in self._view.plugins())
        return web.Response(text=f'{{"plugins": {plugins}}}\n', content_type="application/json")


def _behind(watch: WatchState) -> str:
    serves = "the last state serves" if watch.known else "nothing is known yet"
    why = watch.problem or "no answer yet"
    return f"{watch.what}: not in sync for {watch.behind:.0f} s ({serves}): {why}"


async def _as_json(entries: Iterator[Mapping[str, object]]) -> str:
    """A list with a line for each entry; others get their turn while it is made."""
    lines: list[str] = []
    while some := list(islice(entries, _AT_ONCE)):
        lines += map(json.dumps, some)
        await asyncio.sleep(_PAUSE)
    return "[\n" + ",\n".join(lines) + "\n]"
