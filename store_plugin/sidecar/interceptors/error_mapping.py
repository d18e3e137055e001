"""Turns what a call raised into a gRPC status, so that no servicer handles status codes."""

import asyncio
from typing import NoReturn

import grpc

from store_plugin.errors import Bug, Code, StorePluginError
from store_plugin.sidecar.call import Call, Handler
from store_plugin.store import Logger
from store_plugin.wire import STATUS_TRAILER, status_of

_LONGEST_MESSAGE = 1000
"""Characters of an error's message that travel: it goes out twice, plain and in the
details, and clients take no more than 8 KiB of headers."""
_MOST_HEADER_BYTES = 3000
"""Of the plain one, in which each byte that is no ASCII takes three."""

_GRPC_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def error_mapping(handler: Handler, log: Logger) -> Handler:
    """Abort with the error's code and details; what is not an error of ours is a bug,
    whose traceback goes to the log and nowhere else."""

    async def with_errors_mapped(request: bytes, call: Call) -> bytes:
        try:
            return await handler(request, call)
        except StorePluginError as error:
            failure = error
        except Exception:
            log.error("call failed unexpectedly", exc_info=True)
            failure = Bug(f"internal error; the sidecar's log tells more under request id {call.request_id}")
        return await _abort(call, failure)

    return with_errors_mapped


async def _abort(call: Call, error: StorePluginError) -> NoReturn:
    error.metadata["request_id"] = call.request_id
    error.message = shortened(error.message)
    await call.context.abort(
        _GRPC_CODES[error.code],
        error.message,
        trailing_metadata=((STATUS_TRAILER, status_of(error).SerializeToString()),),
    )
    raise AssertionError("abort never returns")


def shortened(message: str) -> str:
    """As much of an error's message as travels."""
    message = message.encode("utf-8", "replace").decode()  # half a character, out of JSON, does not travel
    room, short = _MOST_HEADER_BYTES, message[:_LONGEST_MESSAGE]
    if len(short) * 12 > room:  # else it fits whatever it is made of
        for position, letter in enumerate(short):
            room -= 1 if " " <= letter <= "~" else 3 * len(letter.encode())
            if room < 0:
                short = short[:position]
                break
    return message if short == message else f"{short} … (the sidecar's log has more)"


def code_of(failure: BaseException) -> Code:
    """The code that a call ends with after this was raised."""
    if isinstance(failure, StorePluginError):
        return failure.code
    return Code.CANCELLED if isinstance(failure, asyncio.CancelledError) else Code.INTERNAL
