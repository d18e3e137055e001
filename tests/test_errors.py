"""The error tree is what it is drawn to be, and every class has the code and reason of
the wire document."""

import re
from pathlib import Path

import grpc
import pytest

from store_plugin import errors
from store_plugin.errors import Code, StorePluginError

TABLE = [
    ("InvalidRequest", "INVALID_ARGUMENT", "INVALID_REQUEST"),
    ("TooLarge", "INVALID_ARGUMENT", "TOO_LARGE"),
    ("NameNotSupported", "INVALID_ARGUMENT", "NAME_NOT_SUPPORTED"),
    ("ConfigNotFound", "NOT_FOUND", "CONFIG_NOT_FOUND"),
    ("VersionNotFound", "NOT_FOUND", "VERSION_NOT_FOUND"),
    ("KindNotServed", "UNIMPLEMENTED", "KIND_NOT_SERVED"),
    ("ConfigInvalid", "FAILED_PRECONDITION", "CONFIG_INVALID"),
    ("LoginRefused", "FAILED_PRECONDITION", "LOGIN_REFUSED"),
    ("NotOwner", "FAILED_PRECONDITION", "NOT_OWNER"),
    ("DocumentInvalid", "FAILED_PRECONDITION", "DOCUMENT_INVALID"),
    ("ScopeNotAllowed", "PERMISSION_DENIED", "SCOPE_NOT_ALLOWED"),
    ("StoreDenied", "PERMISSION_DENIED", "STORE_DENIED"),
    ("CallerUnknown", "UNAUTHENTICATED", "CALLER_UNKNOWN"),
    ("TokenUnavailable", "UNAUTHENTICATED", "TOKEN_UNAVAILABLE"),
    ("PluginRefused", "PERMISSION_DENIED", "PLUGIN_REFUSED"),
    ("AlreadyConnected", "ALREADY_EXISTS", "ALREADY_CONNECTED"),
    ("AlreadyRegistered", "ALREADY_EXISTS", "ALREADY_REGISTERED"),
    ("PluginUntrusted", "FAILED_PRECONDITION", "PLUGIN_UNTRUSTED"),
    ("PluginNotFound", "NOT_FOUND", "PLUGIN_NOT_FOUND"),
    ("PluginDisconnected", "UNAVAILABLE", "PLUGIN_DISCONNECTED"),
    ("Tampered", "DATA_LOSS", "TAMPERED"),
    ("Conflict", "ABORTED", "CONFLICT"),
    ("Throttled", "RESOURCE_EXHAUSTED", "THROTTLED"),
    ("Overloaded", "RESOURCE_EXHAUSTED", "OVERLOADED"),
    ("StoreQuota", "RESOURCE_EXHAUSTED", "STORE_QUOTA"),
    ("StoreUnavailable", "UNAVAILABLE", "STORE_UNAVAILABLE"),
    ("BreakerOpen", "UNAVAILABLE", "BREAKER_OPEN"),
    ("DeadlineExceeded", "DEADLINE_EXCEEDED", ""),
    ("Cancelled", "CANCELLED", ""),
    ("NotReachable", "UNAVAILABLE", "NOT_REACHABLE"),
    ("ConnectionLost", "UNAVAILABLE", "CONNECTION_LOST"),
    ("Bug", "INTERNAL", "BUG"),
]
DOCUMENT = Path(__file__).parents[1] / "docs" / "wire.md"


def classes() -> dict[str, type[StorePluginError]]:
    """Those with a code of their own; a RemoteError has the code that its call ended with."""
    return {cls.__name__: cls for cls in errors.error_classes() if cls is not errors.RemoteError}


@pytest.mark.parametrize(("name", "code", "reason"), TABLE, ids=[row[0] for row in TABLE])
def test_a_class_has_the_code_and_reason_of_the_wire(name: str, code: str, reason: str) -> None:
    cls = classes()[name]
    assert (cls.code.name, cls.reason) == (code, reason)


def test_every_class_is_in_the_table() -> None:
    assert set(classes()) == {name for name, _, _ in TABLE}


def test_no_reason_stands_for_two_classes() -> None:
    reasons = [cls.reason for cls in classes().values() if cls.reason]
    assert len(reasons) == len(set(reasons))


def test_the_document_tells_the_same_codes() -> None:
    rows = re.findall(r"^\|[^|]+\| `([A-Z_]+)` \| `([A-Z_]+)` \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) > 15
    assert set(rows) <= {(code, reason) for _, code, reason in TABLE}


def test_the_drawn_tree_is_the_tree() -> None:
    lines = re.findall(r"^([│├└─ ]*)── (\w+) +([A-Z_]+)? *([A-Z_]+)?", errors.__doc__ or "", re.MULTILINE)
    ancestors = {0: "StorePluginError"}
    drawn = {}
    for indentation, name, code, reason in lines:
        depth = len(indentation) // 4
        ancestors[depth + 1] = name
        drawn[name] = (ancestors[depth], code, reason)
    assert drawn.pop("RemoteError")[0] == "StorePluginError"
    assert drawn == {
        name: (cls.__mro__[1].__name__, cls.code.name, cls.reason) for name, cls in classes().items()
    }


def test_a_remote_error_has_the_code_its_call_ended_with() -> None:
    error = errors.RemoteError(14, "proxy says no", retry_after=1.0)
    assert (error.code, error.reason, error.retry_after) == (Code.UNAVAILABLE, "", 1.0)
    assert StorePluginError.code is Code.UNKNOWN


def test_codes_have_the_numbers_of_grpc() -> None:
    assert {code.name: code.value for code in Code} == {code.name: code.value[0] for code in grpc.StatusCode}


def test_an_error_carries_its_message_and_names() -> None:
    names = {"secret": "team/db"}
    error = errors.Conflict("changed", metadata=names, retry_after=2.0)
    names.clear()
    assert (str(error), error.message, error.metadata, error.retry_after) == (
        "changed",
        "changed",
        {"secret": "team/db"},
        2.0,
    )
