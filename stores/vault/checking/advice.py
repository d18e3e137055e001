"""What to do about an error, for the person who checks a config: the server and the network
say what they did not like, and not which field mends it. A refused login says it by itself
(auth/advice.py)."""

import re
from collections.abc import Callable, Sequence

from store_plugin.errors import StorePluginError
from stores.vault.spec import VaultSpec

_Advice = Callable[[VaultSpec], str]

_NETWORK: Sequence[tuple[str, _Advice]] = (
    (
        "self.signed certificate|unable to get (local )?issuer|signature failure",
        lambda spec: (
            "caBundle is not of the CA that signed the server's certificate: put that CA there"
            if spec.ca_bundle
            else "set caBundle to the CA that signed the server's certificate"
        ),
    ),
    (
        "not valid for|mismatch",
        lambda _: "set tlsServerName to a name in the server's certificate, or mend server",
    ),
    ("certificate has expired", lambda _: "renew the server's certificate"),
    ("WRONG_VERSION_NUMBER|record layer failure", lambda _: "the server speaks no TLS there: mend server"),
    ("HTTP request to an HTTPS server", lambda _: "write https:// in server"),
    ("does not speak Vault's API", lambda _: "mend server: a proxy or another service listens there"),
    ("Name or service not known|No address|gaierror", lambda _: "mend the host in server, or the DNS"),
    (
        "answers 5..$",
        lambda _: "is server the address of a Vault? otherwise look into the log of what answers",
    ),
    ("namespace not found", lambda _: "mend namespace or authNamespace"),
    ("Connection refused|no connection within|unreachable", lambda _: "mend server, or start what it names"),
)


def advised(error: StorePluginError, spec: VaultSpec) -> StorePluginError:
    """`error` with what to do about it; the same object where there is nothing to add."""
    advice = _advice(error, spec)
    if not advice:
        return error
    return type(error)(
        f"{error.message.rstrip('.')}; {advice}", metadata=error.metadata, retry_after=error.retry_after
    )


def _advice(error: StorePluginError, spec: VaultSpec) -> str:
    for pattern, advice in _NETWORK:
        if re.search(pattern, error.message):
            return advice(spec)
    return ""
