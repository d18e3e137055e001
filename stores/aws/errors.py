"""The one place where what goes wrong in boto3 and in AWS becomes an error of ours.

What each is stands in `error_table`. Messages carry the API operation, the secret's name
and AWS's code. AWS's own text is shown only where it is about identities, keys and quotas:
those about the request may quote a value.
"""

import re

import botocore.exceptions as botocore

from store_plugin.errors import (
    Bug,
    ConfigInvalid,
    Conflict,
    InvalidRequest,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
    Throttled,
)
from stores.aws import error_table
from stores.aws.error_table import Kind

_LONGEST_TEXT = 300
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_LOGIN_OPERATIONS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"})


class Refused(Exception):
    """AWS answered with a code that the caller expects. Never leaves this package."""

    def __init__(self, code: str, error: StorePluginError) -> None:
        super().__init__(code)
        self.code = code
        self.error = error
        """What it is where it means nothing special."""


def from_exception(error: BaseException, where: str) -> StorePluginError:
    """The error for what boto3 raised. Raise it `from None`: theirs may quote a request."""
    if isinstance(error, StorePluginError):
        return error
    if isinstance(error, botocore.ClientError):
        return _from_answer(error, where)
    ours = next((ours for theirs, ours in error_table.BY_CLASS if isinstance(error, theirs)), Bug)
    name = type(error).__name__
    return _made(ours, f"{where}: {name}{_said(error_table.HINTS.get(name, ''))}")


def changed(full: str) -> Conflict:
    """What a writer is told who was not the first; `full` is the secret's name in AWS."""
    return Conflict(f"secret {full} has changed since it was read")


def code_of(error: BaseException) -> str:
    """AWS's code for an error that it answered; empty for others."""
    if not isinstance(error, botocore.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]


def is_mapped(code: str) -> bool:
    """Whether somebody thought about what a code of AWS means."""
    return code in error_table.BY_CODE


def _from_answer(error: botocore.ClientError, where: str) -> StorePluginError:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    kind = error_table.BY_CODE.get(code) or _by_status(status)
    if error.operation_name in _LOGIN_OPERATIONS:
        where, kind = f"{where}: {error.operation_name}", _of_login(kind)
    text = str(error.response.get("Error", {}).get("Message", ""))
    # Before its text, for whom it is cut off: what to do.
    parts = [error_table.HINTS.get(code, ""), text if issubclass(kind, error_table.TEXT_IS_SAFE) else ""]
    return _made(kind, f"{where}: {code or status}{''.join(map(_said, parts))}")


def _by_status(status: int) -> Kind:
    if status == 429:
        return Throttled
    if status in (401, 403):
        return StoreDenied
    return InvalidRequest if 400 <= status < 500 else StoreUnavailable


def _of_login(kind: Kind) -> Kind:
    """Whatever says no to a login refuses the credentials."""
    return LoginRefused if issubclass(kind, StoreDenied | InvalidRequest | ConfigInvalid) else kind


def _made(kind: Kind, message: str) -> StorePluginError:
    return kind(message, retry_after=1.0 if issubclass(kind, StoreUnavailable | Throttled) else None)


def _said(text: str) -> str:
    """A text as part of a message: short and on one line."""
    plain = _UNPRINTABLE.sub(" ", text).strip()
    short = plain if len(plain) <= _LONGEST_TEXT else plain[: _LONGEST_TEXT - 3] + "..."
    return f": {short}" if short else ""
