"""How a call over a stream fails: one exception for both ends, and its spellings on the wire.

New peers send google.rpc.Status. Peers of operator-plugin-framework send a code as text:
their own ("RPC_ERROR", "MARSHAL_ERROR") or a gRPC code's name as Go spells it.
"""

import grpc
from google.rpc import status_pb2

from store_plugin.errors import Code, StorePluginError
from store_plugin.stream.frames import Metadata
from store_plugin.wire import STATUS_TRAILER, status_of

MOST_MESSAGE = 4096
"""Characters of a peer's message that are kept: it goes on into logs, and into metadata, of which
gRPC takes some thousand bytes."""


class CallFailed(Exception):
    """A call that ended with a status other than OK, whichever end says so."""

    def __init__(self, status: status_pb2.Status, trailing: Metadata = ()) -> None:
        super().__init__(f"{Code(status.code).name}: {status.message}")
        self.status = status
        self.trailing = trailing

    @property
    def code(self) -> Code:
        return Code(self.status.code)

    @property
    def message(self) -> str:
        return str(self.status.message)

    @property
    def trailing_metadata(self) -> Metadata:
        """What a gRPC call would end with: the status' details ride in it."""
        if not self.status.details:
            return self.trailing
        others = tuple(pair for pair in self.trailing if pair[0] != STATUS_TRAILER)
        return (*others, (STATUS_TRAILER, self.status.SerializeToString()))


def failed(code: Code, message: str) -> CallFailed:
    """A failure without details."""
    return CallFailed(status_pb2.Status(code=int(code), message=message))


def failed_with(error: StorePluginError) -> CallFailed:
    """A failure with reason and details of ours."""
    return CallFailed(status_of(error))


def cut(message: str) -> str:
    """A message that a peer sent, at a length that can be passed on."""
    return message if len(message) <= MOST_MESSAGE else message[: MOST_MESSAGE - 1] + "…"


def checked_code(number: int) -> Code:
    """A code that a peer sent; UNKNOWN for one that gRPC does not have, and for OK, which
    is no failure."""
    return Code(number) if 0 < number < len(Code) else Code.UNKNOWN


def grpc_code(code: Code) -> grpc.StatusCode:
    """The code as gRPC's own enumeration has it."""
    return _GRPC_CODES[code]


def code_in_words(code: Code) -> str:
    """A code as a Go peer spells it: `DeadlineExceeded`; `Canceled` with one l."""
    return _WORDS[code]


def code_from_words(words: str) -> Code:
    """The code that a peer of the framework means: Go's spelling, gRPC's, or its own."""
    return _CODES.get(words.replace("_", "").lower(), Code.UNKNOWN)


_GRPC_CODES = {Code(code.value[0]): code for code in grpc.StatusCode}
_WORDS = {code: "".join(part.capitalize() for part in code.name.split("_")) for code in Code}
_WORDS[Code.OK] = "OK"
_WORDS[Code.CANCELLED] = "Canceled"
_CODES = {
    **{word.lower(): code for code, word in _WORDS.items() if code is not Code.OK},
    "cancelled": Code.CANCELLED,
    "rpcerror": Code.UNKNOWN,
    "marshalerror": Code.INTERNAL,
}
