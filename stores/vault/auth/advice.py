"""What to do about a refused login: what the server says of it names no field of the config."""

import re
from collections.abc import Sequence

from store_plugin.errors import InvalidRequest, LoginRefused, StoreDenied, StorePluginError
from stores.vault.auth.grant import AuthMethod

_BY_TEXT: Sequence[tuple[str, str]] = (
    ("invalid role name|role .* (could not|not) be? ?found", "there is no such role: mend {block}.role"),
    ("could not load configuration", "the auth method is not configured on the server: configure it"),
    ("missing client token|permission denied$", "is {block}.mountPath right? {otherwise}"),
)


def refused_login(error: StorePluginError, method: AuthMethod) -> StorePluginError:
    """`error` as it counts during a login: whatever says no refuses the credentials. A
    LoginRefused of the method itself says already what to do."""
    if not isinstance(error, StoreDenied | InvalidRequest):
        return error
    return LoginRefused(f"{error.message}; {_advice(error.message, method)}")


def _advice(said: str, method: AuthMethod) -> str:
    if method.block != "auth.token":
        for pattern, advice in _BY_TEXT:
            if re.search(pattern, said):
                return advice.format(block=method.block, otherwise=method.advice)
    return method.advice
