"""Whatever goes wrong below has one error of ours, chosen on purpose."""

import ssl
from collections.abc import Iterator
from unittest.mock import Mock

import aiohttp
import hvac.exceptions
import pytest
from yarl import URL

from store_plugin.errors import (
    Bug,
    ConfigInvalid,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    StoreDenied,
    StorePluginError,
    StoreUnavailable,
    Throttled,
    TooLarge,
)
from stores.vault import errors
from stores.vault.http import general

WHERE = "VaultConfig/test: GET /v1/kv/a"


def subclasses(base: type[BaseException]) -> Iterator[type[BaseException]]:
    yield base
    for child in base.__subclasses__():
        yield from subclasses(child)


@pytest.mark.parametrize("theirs", list(dict.fromkeys(subclasses(hvac.exceptions.VaultError))))
def test_every_error_of_hvac_is_translated(theirs: type[BaseException]) -> None:
    translated = errors.from_exception(theirs("canary", errors=["canary"], text="canary"), WHERE)
    assert isinstance(translated, Bug) == (theirs is hvac.exceptions.ParamValidationError)
    assert "canary" not in translated.message


@pytest.mark.parametrize("theirs", list(dict.fromkeys(subclasses(aiohttp.ClientError))))
def test_every_error_of_aiohttp_is_translated(theirs: type[aiohttp.ClientError]) -> None:
    translated = general.translated(made(theirs), WHERE)
    if issubclass(theirs, aiohttp.InvalidURL):
        assert type(translated) is ConfigInvalid
    elif issubclass(theirs, TimeoutError) and not issubclass(theirs, aiohttp.ConnectionTimeoutError):
        assert type(translated) is DeadlineExceeded
    else:
        assert type(translated) is StoreUnavailable
        assert translated.retry_after
    assert "canary" not in translated.message


def made(theirs: type[aiohttp.ClientError]) -> aiohttp.ClientError:
    """An instance as aiohttp makes it, request headers with a token included."""
    headers = {"X-Vault-Token": "canary"}
    request = aiohttp.RequestInfo(URL("http://vault"), "GET", headers, URL("http://vault"))  # type: ignore[arg-type]
    key = Mock(host="vault", port=8200, ssl=True)
    if issubclass(theirs, aiohttp.ClientResponseError):
        return theirs(request, (), status=500, message="canary")
    if issubclass(theirs, aiohttp.ClientConnectorCertificateError):
        return theirs(key, ssl.SSLCertVerificationError(1, "certificate verify failed"))
    if issubclass(theirs, aiohttp.client_exceptions.UnixClientConnectorError):
        return theirs("/path", key, OSError(111, "refused"))
    if issubclass(theirs, aiohttp.ClientConnectorError):
        return theirs(key, OSError(111, "refused"))
    if issubclass(theirs, aiohttp.ServerFingerprintMismatch):
        return theirs(b"a", b"b", "vault", 8200)
    return theirs("canary")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), DeadlineExceeded),
        (ConnectionRefusedError(111, "Connection refused"), StoreUnavailable),
        (ssl.SSLError(1, "wrong version"), StoreUnavailable),
        (KeyError("canary"), Bug),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_other_errors_are_translated(error: BaseException, kind: type[StorePluginError]) -> None:
    translated = errors.from_exception(error, WHERE)
    assert type(translated) is kind
    assert "canary" not in translated.message


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (301, "", StoreUnavailable),
        (307, "", StoreUnavailable),
        (400, "", InvalidRequest),
        (400, "check-and-set parameter did not match the current version", Conflict),
        (
            400,
            "Upgrading from non-versioned to versioned data. This backend will be unavailable",
            StoreUnavailable,
        ),
        (400, "Waiting for the primary to upgrade from non-versioned to versioned data", StoreUnavailable),
        (400, "refused JSON input due to high complexity: exceeded maximum number of strings", TooLarge),
        (401, "", StoreDenied),
        (403, "permission denied", StoreDenied),
        (404, "no handler for route", ConfigInvalid),
        (405, "unsupported operation", ConfigInvalid),
        (409, "", InvalidRequest),
        (412, "required index state not present", StoreUnavailable),
        (413, "request body too large", TooLarge),
        (429, "", Throttled),
        (472, "", StoreUnavailable),
        (473, "", StoreUnavailable),
        (500, "internal error", StoreUnavailable),
        (500, "put failed due to value being too large", TooLarge),
        (502, "", StoreUnavailable),
        (503, "Vault is sealed", StoreUnavailable),
    ],
)
def test_statuses(status: int, text: str, kind: type[StorePluginError]) -> None:
    error = errors.from_status(status, [text], WHERE)
    assert type(error) is kind
    assert error.message.startswith(f"{WHERE}: the server answers {status}")


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status_has_an_error_of_the_tree(status: int) -> None:
    assert not isinstance(errors.from_status(status, [], WHERE), Bug)


def test_the_servers_wish_to_wait_is_passed_on() -> None:
    assert errors.from_status(429, [], WHERE, 7.0).retry_after == 7.0


@pytest.mark.parametrize(
    "text",
    [
        "failed to decode JSON input: json: cannot unmarshal number 4711 into Go value",
        "failed to parse JSON input: invalid character '4711'",
        "x" * 190 + "a long text whose end, with 4711 in it, is cut off",
    ],
)
def test_texts_that_could_quote_a_value_are_left_out(text: str) -> None:
    assert "4711" not in errors.from_status(400, [text], WHERE).message


def test_a_text_stays_on_one_line() -> None:
    error = errors.from_status(403, ["1 error occurred:\n\t* permission denied\n\n\x1b[31m"], WHERE)
    assert error.message.endswith("1 error occurred: * permission denied [31m")
