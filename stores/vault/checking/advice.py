"""What to do about an error, for the person who checks a config: the server and the network
say what they did not like, and not which field mends it."""

import re
from collections.abc import Callable, Mapping, Sequence

from store_plugin.errors import LoginRefused, StorePluginError
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
    ("is sealed", lambda _: "unseal it (bao operator unseal, vault operator unseal)"),
    ("not initialized|uninitialized", lambda _: "initialize it (bao operator init, vault operator init)"),
    ("does not speak Vault's API", lambda _: "mend server: a proxy or another service listens there"),
    ("Name or service not known|No address|gaierror", lambda _: "mend the host in server, or the DNS"),
    ("namespace not found", lambda _: "mend namespace or authNamespace"),
    ("Connection refused|no connection within|unreachable", lambda _: "mend server, or start what it names"),
)
_LOGINS: Mapping[str, str] = {
    "Token": "put a new token where auth.token points",
    "Kubernetes": "mend auth.kubernetes: role and mountPath, and the ServiceAccounts that the role binds",
    "AppRole": "make a new secret ID for auth.appRole.secretIdSource, or mend roleId and mountPath",
    "JWT": "mend auth.jwt: role and mountPath, and the subject and audience that the role binds",
}
_LOGIN_TEXTS: Sequence[tuple[str, str]] = (
    ("invalid role name|role .* (could not|not) be? ?found", "there is no such role: mend {block}.role"),
    ("could not load configuration", "the auth method is not configured on the server: configure it"),
    ("missing client token|permission denied$", "is {block}.mountPath right? {otherwise}"),
)


def advised(error: StorePluginError, spec: VaultSpec) -> StorePluginError:
    """`error` with what to do about it; the same object where there is nothing to add."""
    advice = _advice(error, spec)
    if not advice:
        return error
    return type(error)(f"{error.message}; {advice}", metadata=error.metadata, retry_after=error.retry_after)


def _advice(error: StorePluginError, spec: VaultSpec) -> str:
    for pattern, advice in _NETWORK:
        if re.search(pattern, error.message):
            return advice(spec)
    if isinstance(error, LoginRefused):
        return _about_login(error, spec)
    return ""


def _about_login(error: LoginRefused, spec: VaultSpec) -> str:
    method = spec.auth.method
    otherwise = _LOGINS.get(method, f"mend the block of auth for {method}")
    if method != "Token":
        block = f"auth.{method[0].lower()}{method[1:]}"
        for pattern, advice in _LOGIN_TEXTS:
            if re.search(pattern, error.message):
                return advice.format(block=block, otherwise=otherwise)
    return otherwise
