"""Counts and times every call."""

import time

from store_plugin.errors import Code
from store_plugin.sidecar.call import Call, Handler
from store_plugin.sidecar.interceptors.error_mapping import code_of
from store_plugin.sidecar.metrics import Metrics


def measured(handler: Handler, metrics: Metrics) -> Handler:
    """Record method, kind, code and duration when a call ends, however it ends."""

    async def with_metrics(request: bytes, call: Call) -> bytes:
        call.started = time.perf_counter()
        code = Code.OK
        try:
            return await handler(request, call)
        except BaseException as failure:
            code = code_of(failure)
            raise
        finally:
            metrics.request(call.method, call.kind, code, time.perf_counter() - call.started)

    return with_metrics
