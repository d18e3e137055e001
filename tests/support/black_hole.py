"""Servers that are no use: one that accepts and never answers, one that does not even accept."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

from tests.support.waiting import eventually

_BACKLOG = 512


@contextmanager
def silent_server() -> Iterator[str]:
    """Connections stand (the kernel accepts them), and nothing is ever answered."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def deaf_server() -> Iterator[str]:
    """No connection comes to stand: its queue is full, so the kernel drops every SYN."""
    with ExitStack() as stack:
        server = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        address = server.getsockname()

        def is_deaf() -> bool:
            caller = stack.enter_context(closing(socket.socket()))
            caller.settimeout(0.3)
            with suppress(TimeoutError):
                caller.connect(address)
                return False
            return True

        eventually(is_deaf)
        yield f"http://127.0.0.1:{address[1]}"
