"""How plugins come in over one listener of a hub."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import grpc

from store_plugin.hub.peer import Identity

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Authenticate(Protocol):
    """Finds out who opens a stream. CallerUnknown, and what asking somebody raises."""

    async def __call__(self, context: Context) -> Identity: ...


class Authorize(Protocol):
    """Whether an identity may register a name. PluginRefused, and what asking somebody raises."""

    async def __call__(self, identity: Identity, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Entrance:
    """How plugins come in over one listener. `private`: nobody else can read its streams."""

    authenticate: Authenticate
    authorize: Authorize
    private: bool = False
