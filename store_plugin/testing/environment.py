"""What a store needs from outside, held in memory: for opening a store in a test."""

from collections.abc import Callable, Mapping

from store_plugin.errors import ConfigInvalid
from store_plugin.store import Environment, Fleet


class MemoryCredentials:
    """`Credentials` with given values, by the reference's path in the spec."""

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self._values = dict(values or {})
        self._callbacks: list[Callable[[], None]] = []

    @property
    def subscribers(self) -> int:
        """How many still want to hear of changes: none after every store was closed."""
        return len(self._callbacks)

    def get(self, path: str) -> bytes:
        if path not in self._values:
            raise ConfigInvalid(f"{path}: the credential is missing")
        return self._values[path]

    def has(self, path: str) -> bool:
        return path in self._values

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def replace(self, values: Mapping[str, bytes]) -> None:
        """Have other values from now on, and tell everyone who subscribed."""
        self._values = dict(values)
        for callback in tuple(self._callbacks):
            callback()


class RecordingLog:
    """A `Logger` that keeps what it is told, as (level, event, fields)."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.entries.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.entries.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.entries.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.entries.append(("error", event, fields))

    def events(self, level: str) -> list[str]:
        return [event for logged, event, _ in self.entries if logged == level]


def memory_environment(
    credentials: MemoryCredentials | None = None,
    log: RecordingLog | None = None,
    config: str = "Config/test",
    fleet: Fleet | None = None,
) -> Environment:
    """An `Environment` of them."""
    return Environment(config, credentials or MemoryCredentials(), log or RecordingLog(), fleet)
