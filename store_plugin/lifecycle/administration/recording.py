"""Changes of what has no transaction: in the audit record before they are made, and once more where
they fail after all."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from store_plugin.errors import StorePluginError
from store_plugin.lifecycle.audit import AuditLog, Value


@contextmanager
def recorded(audit: AuditLog, event: str, plugin: str, fields: Mapping[str, Value]) -> Iterator[None]:
    """Around a change, which is not made where it cannot be recorded: StoreUnavailable. Blocking."""
    audit.record(event, plugin, fields)
    try:
        yield
    except StorePluginError as error:
        not_done(audit, event, plugin, error)
        raise


def not_done(audit: AuditLog, event: str, plugin: str, error: StorePluginError) -> None:
    """What was recorded has not happened."""
    audit.record("not-done", plugin, {"change": event, "reason": error.reason})
