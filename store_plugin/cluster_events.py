"""Events of Kubernetes, as objects for the API server: whoever writes some makes them here."""

from datetime import UTC, datetime
from typing import Any

from store_plugin.cluster_api import Json

COLLECTION = "/api/v1/namespaces/{namespace}/events"
_LONGEST_MESSAGE = 1024
"""More the API server does not take."""


def event(
    about: Json, name: Json, *, warning: bool, reason: str, message: str, component: str = "store-plugin"
) -> dict[str, Any]:
    """An Event of the object that `about` refers to. `name`: how its metadata name it."""
    moment = now()
    return {
        "metadata": dict(name),
        "involvedObject": dict(about),
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": cut(message),
        "source": {"component": component},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def cut(message: str) -> str:
    """As much of it as an Event holds."""
    return message[:_LONGEST_MESSAGE]


def now() -> str:
    """The time as the API server writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
