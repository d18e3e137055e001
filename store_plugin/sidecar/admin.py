"""Admin HTTP: probes, metrics, and the state of every config.

Readiness means serving: a broken config never makes the Pod unready, it shows in the
probe's body, in a metric and in the calls that use it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from aiohttp import web

from store_plugin.config.declarations import Problem
from store_plugin.dispatch.state import ConfigState
from store_plugin.errors import InvalidRequest
from store_plugin.sidecar.metrics import Metrics
from store_plugin.sidecar.settings import host_and_port


@dataclass(frozen=True, slots=True)
class View:
    """What the pages show, read when they are asked for."""

    serving: Callable[[], bool]
    configs: Callable[[], list[ConfigState]]
    problems: Callable[[], tuple[Problem, ...]]
    metrics: Metrics


class AdminServer:
    """The HTTP servers of a sidecar: the full one, and the bare probes."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._runners: list[web.AppRunner] = []

    async def start(self, admin_listen: str, health_listen: str | None) -> None:
        """Serve on both; InvalidRequest where an address cannot be bound."""
        alive = web.get("/healthz", self._healthz)
        pages = [web.get("/metrics", self._metrics), web.get("/configs", self._configs)]
        await self._serve(admin_listen, [alive, web.get("/readyz", self._readyz_in_full), *pages])
        if health_listen is not None:
            await self._serve(health_listen, [alive, web.get("/readyz", self._readyz)])

    async def stop(self) -> None:
        """Close all servers."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _serve(self, address: str, routes: list[web.RouteDef]) -> None:
        application = web.Application()
        application.add_routes(routes)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        host, port = host_and_port(address)
        try:
            await web.TCPSite(runner, None if host == "*" else host, port).start()
        except OSError as error:
            raise InvalidRequest(f"cannot serve HTTP on {address}: {error.strerror}") from None

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        """The bare answer, for an address that others than the node's admin can reach."""
        if not self._view.serving():
            return web.Response(status=503, text="not serving\n")
        return web.Response(text="ok: serving\n")

    async def _readyz_in_full(self, request: web.Request) -> web.Response:
        if not self._view.serving():
            return await self._readyz(request)
        broken = [state for state in self._view.configs() if state.last_error]
        lines = ["ok: serving", *(f"{state.reference}: {state.last_error}" for state in broken[:20])]
        if len(broken) > 20:
            lines.append(f"and {len(broken) - 20} more: see /configs")
        return web.Response(text="\n".join(lines) + "\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._view.metrics.render(), content_type="text/plain", charset="utf-8")

    async def _configs(self, _request: web.Request) -> web.Response:
        body = {
            "configs": [state.as_json() for state in self._view.configs()],
            "problems": [asdict(problem) for problem in self._view.problems()],
        }
        return web.Response(
            text=json.dumps(body, indent=2, default=str) + "\n", content_type="application/json"
        )
