"""One gRPC call over a connection of its own that nobody closes, as Crossplane's runtime
does it: HTTP/2 by hand, because a gRPC library would pool or close its connections."""

import socket
import struct

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, TrailersReceived

from store_plugin.endpoints import Endpoint, Transport


def call_and_abandon(endpoint: str, method: str, request: bytes) -> socket.socket:
    """Make the call, check that it ended with OK, and hand back the open socket."""
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    opened = _connect(endpoint)
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    connection.send_headers(stream, headers)
    connection.send_data(stream, struct.pack(">?I", False, len(request)) + request, end_stream=True)
    opened.sendall(connection.data_to_send())
    assert _status(connection, opened) == "0"
    return opened


def _connect(endpoint: str) -> socket.socket:
    parsed = Endpoint.parse(endpoint)
    assert parsed.transport is Transport.ABSTRACT
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(30)
    opened.connect("\0" + parsed.address)
    return opened


def _status(connection: H2Connection, opened: socket.socket) -> str:
    status = ""
    while True:
        received = opened.recv(65536)
        assert received, "the server closed the connection before it answered"
        for event in connection.receive_data(received):
            if isinstance(event, TrailersReceived):
                status = dict(event.headers)["grpc-status"]
            elif isinstance(event, DataReceived):
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                return status
        if pending := connection.data_to_send():
            opened.sendall(pending)
