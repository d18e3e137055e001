"""Writes a line per call where a person asked for it: a line costs a tenth of a call."""

import time

from store_plugin.errors import Code, KindNotServed, PluginDisconnected
from store_plugin.sidecar.call import Call, Handler
from store_plugin.sidecar.interceptors.error_mapping import code_of
from store_plugin.store import Logger
from store_plugin.wire import PROBE

_PROBE = tuple(map(str, PROBE))


_LONGEST_ERROR = 8192
"""Characters: a store may say as much as it likes, and each call has a line."""


def access_log(handler: Handler, log: Logger, *, successes: bool) -> Handler:
    """Log failed calls always, successful ones where `successes`; names, never values."""

    async def with_log(request: bytes, call: Call) -> bytes:
        try:
            response = await handler(request, call)
        except BaseException as failure:
            _log_failure(log, call, failure)
            raise
        if successes:
            log.info("call", code=Code.OK.name, **_fields(call))
        return response

    return with_log


def _log_failure(log: Logger, call: Call, failure: BaseException) -> None:
    code = code_of(failure)
    if code in (Code.CANCELLED, Code.INTERNAL):
        return
    if _is_probe(call, failure):
        log.info("a probe got through", **_fields(call))
        return
    error = str(failure)
    shown = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]} …"
    log.warning("call refused", code=code.name, error=shown, **_fields(call))


def _is_probe(call: Call, failure: BaseException) -> bool:
    """Whether this refusal is what was asked for: it would make a healthy sidecar look ill."""
    expected = isinstance(failure, KindNotServed | PluginDisconnected)
    return expected and (call.config, call.name) == _PROBE


def _fields(call: Call) -> dict[str, object]:
    return {
        "method": call.method,
        "config": call.config,
        "secret": call.name,
        "callers": call.callers,
        "milliseconds": round((time.perf_counter() - call.started) * 1000, 2),
    }
