"""Health checks on a hub's listeners: who may not come in is told so here already, by a plain
call, because a refused stream looks different behind each proxy."""

from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from store_plugin.errors import StorePluginError
from store_plugin.hub.entrance import Authenticate
from store_plugin.hub.logs import Refusals
from store_plugin.stream.frames import HUB_MARK
from store_plugin.stream.outcomes import failed_with, grpc_code


class Healthy(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the library is not typed
    """SERVING for whoever may come in. A refusal is an event of the registry, without a name."""

    def __init__(self, authenticate: Authenticate, refusals: Refusals) -> None:
        self._authenticate = authenticate
        self._refusals = refusals

    async def Check(  # noqa: N802  # named by gRPC
        self, request: health_pb2.HealthCheckRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> health_pb2.HealthCheckResponse:
        try:
            await self._authenticate(context)
        except StorePluginError as error:
            self._refusals.tell("", "", error.message)
            why = failed_with(error)
            await context.abort(grpc_code(why.code), why.message, trailing_metadata=why.trailing_metadata)
        await context.send_initial_metadata((HUB_MARK,))
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
