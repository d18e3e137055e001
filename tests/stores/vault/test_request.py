"""A request's bytes; what could become another line is refused and not shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.errors import ConfigInvalid, InvalidRequest, StorePluginError
from stores.vault.http.request import RequestEncoder

HEADERS = {"X-Vault-Token": "hvs.x"}


def encoder(server: str = "http://vault:8200") -> RequestEncoder:
    return RequestEncoder(server)


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("GET", None, b"GET /v1/a HTTP/1.1\r\nHost: vault:8200\r\nX-Vault-Token: hvs.x\r\n\r\n"),
        ("LIST", None, b"LIST /v1/a HTTP/1.1\r\nHost: vault:8200\r\nX-Vault-Token: hvs.x\r\n\r\n"),
        (
            "POST",
            b"{}",
            b"POST /v1/a HTTP/1.1\r\nHost: vault:8200\r\nX-Vault-Token: hvs.x\r\nContent-Length: 2\r\n\r\n{}",
        ),
        (
            "PUT",
            None,
            b"PUT /v1/a HTTP/1.1\r\nHost: vault:8200\r\nX-Vault-Token: hvs.x\r\nContent-Length: 0\r\n\r\n",
        ),
    ],
)
def test_the_bytes_of_a_request(method: str, body: bytes | None, expected: bytes) -> None:
    assert encoder().encode(method, "/v1/a", HEADERS, body, None) == expected


def test_a_query_is_quoted() -> None:
    line = encoder().encode("GET", "/v1/a", HEADERS, None, {"version": "1", "x": "a b&c\r\n"})
    assert line.startswith(b"GET /v1/a?version=1&x=a+b%26c%0D%0A HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("server", "host", "port", "line"),
    [
        ("http://vault", "vault", 80, b"Host: vault\r\n"),
        ("https://vault", "vault", 443, b"Host: vault\r\n"),
        ("https://vault:8200", "vault", 8200, b"Host: vault:8200\r\n"),
        ("http://[::1]:8200", "::1", 8200, b"Host: [::1]:8200\r\n"),
    ],
)
def test_the_host_is_named(server: str, host: str, port: int, line: bytes) -> None:
    made = encoder(server)
    assert (made.host, made.port) == (host, port)
    assert line in made.encode("GET", "/", {}, None, None)


def test_a_path_of_the_server_comes_first() -> None:
    request = encoder("http://vault/a/b").encode("GET", "/v1", {}, None, None)
    assert request.startswith(b"GET /a/b/v1 HTTP/1.1\r\n")


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\nX: y", "\x00", " ", "\x7f", "é", "\ud800", "\u2028"])
def test_a_path_cannot_hold_another_line(bad: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encoder().encode("GET", f"/v1/canary{bad}x", HEADERS, None, None)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\nX: y", "\x00", "\x7f", "\u0100", "\ud800", "\u2028"])
@pytest.mark.parametrize("place", ["begin{}", "{}end", "mid{}dle"])
def test_a_header_cannot_hold_another(bad: str, place: str) -> None:
    with pytest.raises(ConfigInvalid, match="X-Vault-Token") as caught:
        encoder().encode("GET", "/", {"X-Vault-Token": "canary" + place.format(bad)}, None, None)
    assert "canary" not in repr(caught.value)


def test_a_header_that_is_refused_leaves_nothing_behind() -> None:
    made, bad = encoder(), {"X-Vault-Token": "a\nb"}
    good = made.encode("GET", "/", HEADERS, None, None)
    for _ in range(2):
        with pytest.raises(ConfigInvalid):
            made.encode("GET", "/", bad, None, None)
    assert made.encode("GET", "/", HEADERS, None, None) == good


def test_other_headers_are_sent_at_once() -> None:
    made = encoder()
    made.encode("GET", "/", {"X-Vault-Token": "old"}, None, None)
    request = made.encode("GET", "/", {"X-Vault-Token": "new"}, None, None)
    assert b"new" in request
    assert b"old" not in request


@given(st.text(max_size=20), st.text(max_size=20), st.none() | st.binary(max_size=9))
def test_whatever_is_sent_has_the_lines_it_should_have(path: str, value: str, body: bytes | None) -> None:
    try:
        request = encoder().encode("POST", "/" + path, {"X-A": value}, body, None)
    except StorePluginError:
        return
    head, _, rest = request.partition(b"\r\n\r\n")
    assert len(head.split(b"\r\n")) == len(head.splitlines()) == 4
    assert rest == (body or b"")


def test_nothing_shows_a_token() -> None:
    made = encoder()
    made.encode("GET", "/", HEADERS, None, None)
    assert "hvs.x" not in repr(made)
