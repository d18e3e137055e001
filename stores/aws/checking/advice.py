"""What to do about an error, for the person who checks a config: AWS says what it did not
like, and not which field mends it."""

import re
from collections.abc import Callable, Sequence

from store_plugin.errors import StorePluginError
from stores.aws.spec import AWSSpec

_Advice = Callable[[AWSSpec], str]


def _credentials(spec: AWSSpec) -> str:
    return {
        "Static": "auth.static, its accessKeyID and secretAccessKey",
        "WebIdentity": "auth.webIdentity, its roleARN and tokenSource",
        "Default": "the credentials that the default chain finds",
    }[spec.auth.method]


def _session(spec: AWSSpec) -> str:
    if spec.auth.method == "Static":
        return "put new keys and their session token where auth.static points"
    return f"renew {_credentials(spec)}"


def _place(spec: AWSSpec) -> str:
    return f"mend endpoint {spec.endpoint}" if spec.endpoint else f"is region {spec.region} right?"


_BY_TEXT: Sequence[tuple[str, _Advice]] = (
    ("ExpiredToken|TokenRefreshRequired", _session),
    (
        "UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|AuthFailure",
        lambda spec: f"AWS does not know the access key: mend {_credentials(spec)}",
    ),
    ("SignatureDoesNotMatch|InvalidSignature", lambda spec: f"mend {_credentials(spec)}, or set the clock"),
    ("RequestTimeTooSkewed|RequestExpired", lambda _: "set the clock, as by NTP"),
    (
        "AssumeRoleWithWebIdentity",
        lambda _: "mend auth.webIdentity.roleARN, or let the role's trust policy admit the token",
    ),
    ("AssumeRole", lambda _: "mend auth.roles, or let the role's trust policy admit the identity before it"),
    ("UnknownOperation|InvalidAction", lambda spec: f"no {spec.service} answers there: {_place(spec)}"),
    ("ResponseParserError", lambda spec: f"what answers is not AWS: {_place(spec)}"),
    ("RegionDisabled|OptInRequired", lambda spec: f"enable the region {spec.region} for the account"),
    ("EndpointConnectionError|ConnectTimeout|ConnectionClosed|SSLError", _place),
)


def advised(error: StorePluginError, spec: AWSSpec) -> StorePluginError:
    """`error` with what to do about it; the same object where there is nothing to add."""
    for pattern, advice in _BY_TEXT:
        if re.search(pattern, error.message):
            message = f"{error.message.rstrip('.')}; {advice(spec)}"
            return type(error)(message, metadata=error.metadata, retry_after=error.retry_after)
    return error
