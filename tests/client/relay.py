"""A relay between a client and a server whose connections a test can cut."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from store_plugin.endpoints import Endpoint


class Relay:
    """Listens on one abstract socket and passes bytes to another (`behind`)."""

    def __init__(self, endpoint: str) -> None:
        self.behind = f"{endpoint}-behind"
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(_address(endpoint))
        self._listener.listen()

    def cut(self) -> None:
        """End all connections; new ones are welcome."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                self._ends += [client, server]
                server.connect(_address(self.behind))
                self._start(_copy, client, server)
                self._start(_copy, server, client)

    def _start(self, run: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            target.sendall(received)
        target.shutdown(socket.SHUT_RDWR)


def _address(endpoint: str) -> str:
    return "\0" + Endpoint.parse(endpoint).address
