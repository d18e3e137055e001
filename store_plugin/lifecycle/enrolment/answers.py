"""Errors of ours as gRPC answers, for the methods of enrolment."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc

from store_plugin.errors import StorePluginError
from store_plugin.stream.outcomes import failed_with, grpc_code

Request = TypeVar("Request")
Response = TypeVar("Response")


def answering(
    method: Callable[[Request, Any], Awaitable[Response]],
) -> Callable[[Request, Any], Awaitable[Response]]:
    """`method`, whose errors end the call with their code, reason and text."""

    async def answered(request: Request, context: "grpc.aio.ServicerContext[Any, Any]") -> Response:
        try:
            return await method(request, context)
        except StorePluginError as error:
            why = failed_with(error)
        await context.abort(grpc_code(why.code), why.message, trailing_metadata=why.trailing_metadata)
        raise AssertionError("abort raises")

    return answered
