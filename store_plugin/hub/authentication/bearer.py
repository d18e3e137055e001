"""The bearer token that a plugin shows, as gRPC metadata carries it."""

from store_plugin.errors import CallerUnknown
from store_plugin.hub.entrance import Context

_BEARER = "bearer "


def bearer_token(context: Context) -> str:
    """The token of `authorization: Bearer …`. CallerUnknown where there is none, or not one."""
    shown = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if len(shown) != 1 or not isinstance(shown[0], str) or not shown[0].lower().startswith(_BEARER):
        raise CallerUnknown("this hub needs a token: send it as 'authorization: Bearer …'")
    token = shown[0][len(_BEARER) :].strip()
    if not token:
        raise CallerUnknown("the token is empty")
    return token
