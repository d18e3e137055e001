"""Gives every call an id, so that a caller's error and our log lines can be matched."""

import re
from secrets import token_hex

from store_plugin.sidecar.call import Call, Handler, current_call

HEADER = "x-request-id"
_USABLE = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def request_id(handler: Handler) -> Handler:
    """Take the caller's `x-request-id` where it is a plain short word, else make one."""

    async def with_request_id(request: bytes, call: Call) -> bytes:
        call.request_id = _sent_by(call) or token_hex(8)
        current_call.set(call)
        return await handler(request, call)

    return with_request_id


def _sent_by(call: Call) -> str | None:
    for key, value in call.context.invocation_metadata() or ():
        if key == HEADER and isinstance(value, str) and _USABLE.match(value):
            return value
    return None
