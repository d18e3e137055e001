"""A server that answers every request with the same status line and headers, whoever asks."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 10.0


@dataclass
class Answering:
    """Where it listens, and how often it was asked."""

    port: int
    requests: int = 0


@contextmanager
def answering(head: bytes, certificates: Path | None = None) -> Iterator[Answering]:
    """Listens on loopback; with `certificates` (`tls.crt`, `tls.key`) over TLS."""
    context = None
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "tls.crt", certificates / "tls.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Answering(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, server, head, context))
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_SECONDS)


def _serve(listener: socket.socket, server: Answering, head: bytes, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(_SECONDS)
        with suppress(OSError), context.wrap_socket(plain, server_side=True) if context else plain as peer:
            asked = b""
            while b"\r\n\r\n" not in asked and (chunk := peer.recv(65536)):
                asked += chunk
            server.requests += bool(asked)
            peer.sendall(b"HTTP/1.1 " + head.rstrip() + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
