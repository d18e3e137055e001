"""Keeps the number of calls in flight bounded. The server itself stops reading calls a
little above this limit (`listeners`); up to there, who comes too late is told so."""

from store_plugin.errors import Overloaded
from store_plugin.sidecar.call import Call, Handler


class Admission:
    """Calls in flight over all listeners of the process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0

    def intercept(self, handler: Handler) -> Handler:
        """Refuse what exceeds the limit at once, asking to come again."""

        async def with_admission(request: bytes, call: Call) -> bytes:
            if self.in_flight >= self.limit:
                raise Overloaded(f"{self.limit} calls are in flight, the limit", retry_after=0.1)
            self.in_flight += 1
            try:
                return await handler(request, call)
            finally:
                self.in_flight -= 1

        return with_admission
