"""Endpoints in all spellings of docs/wire.md."""

import pytest

from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint, Transport
from store_plugin.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "transport", "address", "target"),
    [
        ("unix:///@a/b.sock", Transport.ABSTRACT, "a/b.sock", "unix-abstract:a/b.sock"),
        ("unix:@a/b.sock", Transport.ABSTRACT, "a/b.sock", "unix-abstract:a/b.sock"),
        ("unix-abstract:a/b.sock", Transport.ABSTRACT, "a/b.sock", "unix-abstract:a/b.sock"),
        ("@a/b.sock", Transport.ABSTRACT, "a/b.sock", "unix-abstract:a/b.sock"),
        ("unix:///run/s.sock", Transport.PATH, "/run/s.sock", "unix:/run/s.sock"),
        ("unix:/run/s.sock", Transport.PATH, "/run/s.sock", "unix:/run/s.sock"),
        ("/run/s.sock", Transport.PATH, "/run/s.sock", "unix:/run/s.sock"),
        ("dns:///ess.ns:4040", Transport.TCP, "ess.ns:4040", "dns:///ess.ns:4040"),
        ("https://ess.ns:4040", Transport.TCP, "ess.ns:4040", "dns:///ess.ns:4040"),
        ("ess.ns:4040", Transport.TCP, "ess.ns:4040", "dns:///ess.ns:4040"),
        ("127.0.0.1:4040", Transport.TCP, "127.0.0.1:4040", "dns:///127.0.0.1:4040"),
        ("[::1]:4040", Transport.TCP, "[::1]:4040", "dns:///[::1]:4040"),
    ],
)
def test_each_spelling_is_read(text: str, transport: Transport, address: str, target: str) -> None:
    endpoint = Endpoint.parse(text)
    assert (endpoint.transport, endpoint.address, endpoint.target) == (transport, address, target)


@pytest.mark.parametrize(
    "text",
    ["", "unix:", "unix:///@", "@", "unix-abstract:", "host", "host:", ":1", "host:99999", "http://h:1",
     "https://h:1/path", "unix:relative", "@a\0b", "@" + "x" * 108, "/" + "x" * 108],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Endpoint.parse(text)


@pytest.mark.parametrize("text", [DEFAULT_ENDPOINT, "unix:///run/s.sock", "ess.ns:4040"])
def test_shown_endpoint_reads_as_itself(text: str) -> None:
    assert str(Endpoint.parse(text)) == text


def test_servers_listen_without_the_resolver_scheme() -> None:
    assert Endpoint.parse("dns:///127.0.0.1:4040").listen_address == "127.0.0.1:4040"
    assert Endpoint.parse("@name").listen_address == "unix-abstract:name"
