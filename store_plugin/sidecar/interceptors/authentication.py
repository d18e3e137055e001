"""Finds out who calls, per listener: a handler can't tell which port a call came through."""

from collections.abc import Callable
from typing import Protocol

from store_plugin.errors import CallerUnknown
from store_plugin.sidecar.call import Call, Handler

LOCAL = "local"
"""The caller on one of the sidecar's own sockets, as `spec.access` names it."""

_SAN = "x509_subject_alternative_name"
_BEARER = "bearer "


class Authenticate(Protocol):
    """Names of the caller; CallerUnknown where it must not call at all."""

    def __call__(self, call: Call) -> tuple[str, ...]: ...


def authentication(handler: Handler, authenticate: Authenticate) -> Handler:
    """Refuse unknown callers; put the known one's names into the call."""

    async def with_caller(request: bytes, call: Call) -> bytes:
        call.callers = authenticate(call)
        return await handler(request, call)

    return with_caller


def anyone_local(call: Call) -> tuple[str, ...]:
    """Whoever reaches the socket."""
    return (LOCAL,)


def bearer_of_token(token_matches: Callable[[str], bool]) -> Authenticate:
    """Whoever reaches the socket and shows the token as `authorization: Bearer …`."""

    def authenticate(call: Call) -> tuple[str, ...]:
        shown = [value for key, value in call.context.invocation_metadata() or () if key == "authorization"]
        if len(shown) != 1 or not isinstance(shown[0], str):
            raise CallerUnknown("this socket needs a token: send it as 'authorization: Bearer …'")
        if not shown[0].lower().startswith(_BEARER) or not token_matches(shown[0][len(_BEARER) :]):
            raise CallerUnknown("the token is not the one this sidecar was given")
        return (LOCAL,)

    return authenticate


def holder_of_certificate(call: Call) -> tuple[str, ...]:
    """The names in the client certificate that the TLS handshake has verified. One that is
    called `local` does not make its holder a caller on the sidecar's own socket."""
    found = (name.decode("utf-8", "replace") for name in call.context.auth_context().get(_SAN, ()))
    names = tuple(name for name in found if name != LOCAL)
    if not names:
        raise CallerUnknown("the client certificate has no subject alternative name that can be used")
    return names
