"""The part of structlog's bound logger that is used here: an event and its fields; and the
standard library's logging in that shape, for programs of others that bring no structlog."""

import logging
from typing import Any, Protocol


class Logger(Protocol):
    """structlog's loggers are such; so is anything with these four methods."""

    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...


class StandardLogger:
    """Writes `event field=value …` on one line: what a peer says cannot pass for a line of ours."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        traceback = fields.pop("exc_info", None)
        text = " ".join((event, *(f"{key}={_shown(value)}" for key, value in fields.items())))
        self._log.log(level, "%s", text, exc_info=traceback)


def _shown(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode()
