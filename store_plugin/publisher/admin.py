"""Probes and metrics over HTTP. No page names a Secret or a store: they may be looked at by
others than the node's admin."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from store_plugin.errors import InvalidRequest
from store_plugin.sockets import why_not_bound


@asynccontextmanager
async def served(
    host: str | None, port: int, ready: Callable[[], bool], metrics: Callable[[], bytes]
) -> AsyncIterator[None]:
    """Serve while the context lasts; InvalidRequest where the address cannot be bound. `host` None:
    on all of them."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="not in sync yet\n")

    async def exported(_request: web.Request) -> web.Response:
        return web.Response(body=metrics(), content_type="text/plain", charset="utf-8")

    application = web.Application()
    pages = {"/healthz": healthz, "/readyz": readyz, "/metrics": exported}
    application.add_routes([web.get(path, page) for path, page in pages.items()])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _bind(runner, host, port)
        yield
    finally:
        await runner.cleanup()


async def _bind(runner: web.AppRunner, host: str | None, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        told = f"--admin-listen {host or '*'}:{port}: {why_not_bound(error)}"
        raise InvalidRequest(told) from None
