"""Structured logs on standard error, ours and those of the libraries, in one format. What an outside
log has to hold goes to standard output, in the same format.

No log line holds a secret value: errors name things, and tracebacks come without local
variables.
"""

import logging
import sys
from typing import Any, TextIO

# structlog takes up rich where it is installed: 6 MB, and tracebacks that show local
# variables, which may be secrets. To this process it is not there.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _rich is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _rich

from store_plugin.sidecar.call import current_call  # noqa: E402

_ALWAYS = "store_plugin.audit"


def configure_logs(level: str, log_format: str) -> structlog.stdlib.BoundLogger:
    """Set up logging for the process and return the logger to hand around."""
    before: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(log_format)],
    )
    root = logging.getLogger()
    root.handlers = [_handler(sys.stderr, formatter)]
    root.setLevel(level.upper())
    # It tells of each change that it sees; what a change came to is told by us.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    always = logging.getLogger(_ALWAYS)
    always.handlers = [_handler(sys.stdout, formatter)]
    always.setLevel(logging.INFO)
    always.propagate = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("store_plugin")
    return logger


def always_logged() -> structlog.stdlib.BoundLogger:
    """The logger for what somebody elsewhere has to be able to find: its `info` is told on standard
    output, whatever the level is, now or later. To be called after `configure_logs`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(_ALWAYS)
    return logger


def _handler(stream: TextIO, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    return handler


def _rendering(log_format: str) -> list[structlog.typing.Processor]:
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        return [_only_text, renderer]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _only_text(_logger: object, _name: str, event: Any) -> Any:
    """A plugin's or a server's words stay on their line, and steer no terminal; JSON escapes them anyway."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    return event


def _add_request_id(_logger: object, _name: str, event: Any) -> Any:
    if call := current_call.get():
        event["request_id"] = call.request_id
    return event
