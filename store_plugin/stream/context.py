"""What a servicer's method gets as `context`, for calls that come over a stream.

The state is one; asyncio methods see it as `grpc.aio.ServicerContext`, plain functions, which
run in threads, as `grpc.ServicerContext`.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import grpc
from google.rpc import status_pb2

from store_plugin.errors import Code
from store_plugin.stream.frames import Metadata
from store_plugin.stream.outcomes import CallFailed, checked_code
from store_plugin.wire import STATUS_TRAILER

StatusCode: TypeAlias = grpc.StatusCode | int


@dataclass(slots=True)
class CallState:
    """One call, as its handler sees and changes it. Times are of `time.monotonic`."""

    method: str
    peer: str
    metadata: Metadata = ()
    deadline: float | None = None
    code: Code = Code.OK
    details: str = ""
    trailing: Metadata = ()
    notes: dict[str, None] = field(default_factory=dict)
    """Keys for the audit record, in their order."""
    ended: bool = False
    callbacks: list[Callable[[], None]] = field(default_factory=list)

    def remaining(self) -> float | None:
        """Seconds until the caller's deadline; None: it has none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def set_code(self, code: StatusCode) -> None:
        number = code.value[0] if isinstance(code, grpc.StatusCode) else code
        self.code = Code.OK if number == 0 else checked_code(number)

    def failure(self) -> CallFailed:
        """How the call ends with the code that was set, with the details put in the trailers."""
        for key, value in self.trailing:
            if key == STATUS_TRAILER and isinstance(value, bytes):
                return CallFailed(status_pb2.Status.FromString(value), self.trailing)
        return CallFailed(status_pb2.Status(code=int(self.code), message=self.details), self.trailing)

    def abort(self, code: StatusCode, details: str, trailing: Iterable[Any]) -> NoReturn:
        self.set_code(code)
        if self.code is Code.OK:
            self.code, details = Code.UNKNOWN, "aborted with OK, which is no failure"
        self.details = details
        if added := metadata_of(trailing):
            self.trailing = added
        raise self.failure()

    def end(self) -> None:
        """The call is over: tell whoever asked."""
        self.ended = True
        for callback in self.callbacks:
            callback()


def metadata_of(found: Iterable[Any] | None) -> Metadata:
    """Metadata in any of the forms that gRPC's APIs take."""
    return tuple((key, value) for key, value in found or ())


class _Context:
    """What both have alike."""

    def __init__(self, state: CallState) -> None:
        self._state = state

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._state.trailing = metadata_of(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._state.trailing

    def invocation_metadata(self) -> Any:
        return self._state.metadata

    def set_code(self, code: Any) -> None:
        self._state.set_code(code)

    def code(self) -> Any:
        return int(self._state.code)

    def set_details(self, details: str) -> None:
        self._state.details = details

    def details(self) -> Any:
        return self._state.details

    def set_compression(self, compression: Any) -> None:
        """The stream has its own."""

    def disable_next_message_compression(self) -> None:
        """The stream has its own."""

    def peer(self) -> str:
        return self._state.peer

    def peer_identities(self) -> Any:
        return None

    def peer_identity_key(self) -> Any:
        return None

    def auth_context(self) -> Any:
        return {}

    def time_remaining(self) -> Any:
        return self._state.remaining()


class AioContext(_Context, grpc.aio.ServicerContext[Any, Any]):
    """For asyncio methods. One response belongs to a unary call: `write` works for streams."""

    def __init__(self, state: CallState, send: Callable[[Any], Any] | None = None) -> None:
        super().__init__(state)
        self._send = send

    async def read(self) -> Any:
        raise RuntimeError("calls over a stream carry one request")

    async def write(self, message: Any) -> None:
        if self._send is None:
            raise RuntimeError("this method answers with one response: return it")
        await self._send(message)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Does not travel over a PluginStream."""

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        self._state.abort(code, details, trailing_metadata)

    async def abort_with_status(self, status: Any) -> NoReturn:
        self._state.abort(status.code, status.details, status.trailing_metadata)

    def add_done_callback(self, callback: Any) -> None:
        self._state.callbacks.append(lambda: callback(self))

    def cancelled(self) -> bool:
        return self._state.ended

    def done(self) -> bool:
        return self._state.ended


class ThreadContext(_Context, grpc.ServicerContext):
    """For plain functions."""

    def abort(self, code: Any, details: str) -> NoReturn:
        self._state.abort(code, details, ())

    def abort_with_status(self, status: Any) -> NoReturn:
        self._state.abort(status.code, status.details, status.trailing_metadata)

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Does not travel over a PluginStream."""

    def is_active(self) -> bool:
        return not self._state.ended

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:
        if self._state.ended:
            return False
        self._state.callbacks.append(callback)
        return True
