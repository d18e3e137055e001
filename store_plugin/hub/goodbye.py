"""How a peer is told that its stream ends, and why."""

import asyncio
from contextlib import suppress

import grpc

from store_plugin.errors import Code
from store_plugin.hub.calling.codec import Codec
from store_plugin.hub.entrance import Context
from store_plugin.stream import frames
from store_plugin.stream.outcomes import CallFailed, code_in_words, grpc_code

_GOODBYE_SECONDS = 1.0
"""For a peer that may not read any more."""


async def say_goodbye(codec: Codec, context: Context, why: CallFailed | None) -> None:
    """The end of the stream as a frame. Proxies made with Go 1.26 do not pass gRPC's own end on
    before the plugin's side is closed as well (golang/go#80085): it would wait for ever."""
    code, message = (why.code, why.message) if why else (Code.OK, "")
    with suppress(grpc.aio.BaseError, TimeoutError):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await context.write(codec.write(frames.error("", code_in_words(code), message)))


async def abort(context: Context, why: CallFailed) -> None:
    """Tell the peer, if it is still there."""
    trailing = why.trailing_metadata
    try:
        await context.abort(grpc_code(why.code), why.message, trailing_metadata=trailing)
    except grpc.aio.AbortError:
        raise
    except grpc.aio.BaseError:
        context.set_code(grpc_code(why.code))
