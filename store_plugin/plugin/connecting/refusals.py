"""What a hub, or a proxy before it, means by the way a call ended that was to let us in."""

import grpc

from store_plugin.errors import Code, NotReachable, PluginRefused, StorePluginError

_REFUSED = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)
_AWAY = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
_ANOTHER_NAME = "Hostname Verification Check failed"
"""What gRPC says where the certificate does not name whom we dialled."""


def meaning_of(error: grpc.aio.AioRpcError, where: str) -> StorePluginError | None:
    """Of a plain call: PluginRefused, NotReachable; None for what says neither."""
    code = _code(error)
    if code in _AWAY and _ANOTHER_NAME in (error.details() or ""):
        return NotReachable(
            f"the certificate at {where} does not name the host that was dialled, nor the given server_name: "
            "say with server_name which name is in it"
        )
    if code in _AWAY:
        return NotReachable(f"nobody answers at {where}: {error.details()}")
    return refusal_of_end(code, error.details(), where)


def refusal_of_end(code: Code, details: str | None, where: str) -> PluginRefused | None:
    """Of what the hub itself said at the end of a stream."""
    if code in _REFUSED:
        return PluginRefused(f"{where} refuses this plugin: {details}")
    return None


def refusal_of_stream(error: grpc.aio.AioRpcError, where: str) -> PluginRefused | None:
    """Of a stream that ended before the hub said anything. A proxy answers and hangs up at once,
    and gRPC may see the second before the first: then the code is INTERNAL."""
    if _code(error) is Code.INTERNAL:
        return PluginRefused(
            f"{where} perhaps refuses this plugin: the stream broke before the hub said anything, which is "
            f"how the refusal of a proxy can look ({error.details()})"
        )
    return refusal_of_end(_code(error), error.details(), where)


def _code(error: grpc.aio.AioRpcError) -> Code:
    return Code(error.code().value[0])
