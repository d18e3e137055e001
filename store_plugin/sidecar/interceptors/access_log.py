"""Writes a line per call where a person asked for it: a line costs a tenth of a call."""

import time

from store_plugin.bucket import TokenBucket
from store_plugin.errors import Code, KindNotServed, PluginDisconnected
from store_plugin.sidecar.call import Call, Handler
from store_plugin.sidecar.interceptors.error_mapping import code_of
from store_plugin.store import Logger
from store_plugin.wire import PROBE

_PROBE = tuple(map(str, PROBE))
_STRANGERS_PER_SECOND, _STRANGERS_AT_ONCE = 20.0, 100
"""Lines about callers whom nobody knows: they may knock for ever, and push all others out of the log."""

_LONGEST_ERROR = 8192
"""Characters: a store may say as much as it likes, and each call has a line."""


def access_log(handler: Handler, log: Logger, *, successes: bool, strangers: "Strangers") -> Handler:
    """Log failed calls always, successful ones where `successes`; names, never values. `strangers` are
    those of one listener, whichever method they call."""

    async def with_log(request: bytes, call: Call) -> bytes:
        try:
            response = await handler(request, call)
        except BaseException as failure:
            _log_failure(log, call, failure, strangers)
            raise
        if successes:
            log.info("call", code=Code.OK.name, **_fields(call))
        return response

    return with_log


class Strangers:
    """Says which of their calls has a line, and counts those that have none."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(_STRANGERS_PER_SECOND, _STRANGERS_AT_ONCE, time.monotonic())
        self._lost = 0

    def line(self) -> dict[str, int] | None:
        """What to add to the line; None: there is to be none."""
        if not self._bucket.take(time.monotonic()):
            self._lost += 1
            return None
        lost, self._lost = self._lost, 0
        return {"lines_lost": lost} if lost else {}


def _log_failure(log: Logger, call: Call, failure: BaseException, strangers: Strangers) -> None:
    code = code_of(failure)
    if code in (Code.CANCELLED, Code.INTERNAL):
        return
    if _is_probe(call, failure):
        log.info("a probe got through", **_fields(call))
        return
    more = strangers.line() if code is Code.UNAUTHENTICATED else {}
    if more is None:
        return
    error = str(failure)
    shown = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]} …"
    log.warning("call refused", code=code.name, error=shown, **more, **_fields(call))


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
