"""Who may come in to a hub where nothing but reaching the socket is asked for."""

from typing import Any

import grpc

from store_plugin.hub.peer import Identity


async def anyone(context: "grpc.aio.ServicerContext[Any, Any]") -> Identity:
    """Whoever reaches the listener."""
    return Identity()


async def any_name(identity: Identity, name: str) -> None:
    """Whatever name."""
