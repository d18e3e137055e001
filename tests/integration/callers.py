"""Threads that call a sidecar while a test changes something under them."""

import threading

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from tests.support.sidecar import SidecarProcess
from tests.support.waiting import eventually

CALLERS = 16


class Callers:
    """Sixteen threads that get a secret until they are stopped."""

    def __init__(self, sidecar: SidecarProcess, config: str, name: str) -> None:
        self.calls = 0
        self.failures: list[StorePluginError] = []
        self._stop = threading.Event()
        self._arguments = (sidecar.endpoint, config, name)
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def more(self, count: int = 50) -> None:
        """Return once that many more calls have ended."""
        enough = self.calls + count
        eventually(lambda: self.calls >= enough)

    def _call(self) -> None:
        endpoint, config, name = self._arguments
        with Client(endpoint) as client:
            while not self._stop.is_set():
                try:
                    assert client.get(config, name).data
                except StorePluginError as error:
                    self.failures.append(error)
                self.calls += 1
