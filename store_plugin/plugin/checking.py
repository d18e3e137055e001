"""A plugin's own word on whether it is well."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from store_plugin.stream import wellness

Check = Callable[[], Awaitable[None]]
"""Raises where the plugin is not well: an error of `store_plugin.errors` says why."""


def add_check(check: Check, server: Any) -> None:
    """Serve `check`, as generated code adds a servicer."""

    async def answer(request: bytes, context: Any) -> bytes:
        await check()
        return b""

    handlers = {wellness.METHOD: grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(wellness.SERVICE, handlers),))
