"""What a peer may announce beyond operator-plugin-framework, and what that changes.

A peer that announces nothing is one of the framework: it gets the framework's frames, one
call at a time, and no heartbeat.
"""

from collections.abc import Iterable
from enum import StrEnum

PROTOCOL_VERSION = 1
"""Of the frames from 100 up."""


class Feature(StrEnum):
    """One thing that a peer understands, as it is spelled on the wire."""

    CONCURRENT = "concurrent-calls"
    """Several calls at a time; every reply and every error names its call."""
    STATUS = "status"
    """Failures as google.rpc.Status, and trailing metadata."""
    METADATA = "metadata"
    """Deadline and metadata of a call."""
    CANCEL = "cancel"
    """A call can be called off."""
    HEARTBEAT = "heartbeat"
    """Pings are answered."""
    DRAIN = "drain"
    """Told that a stream ends soon, the plugin opens another."""
    SERVER_STREAMING = "server-streaming"
    """Several responses to one call."""
    FLOW_CONTROL = "flow-control"
    """Told how many responses to a call its caller has taken, the plugin sends few more."""
    LOG = "log"
    """The plugin may send log lines."""


ALL = frozenset(Feature)

_KNOWN = {feature.value: feature for feature in Feature}


def known(announced: Iterable[str]) -> frozenset[Feature]:
    """Those of the announced features that are known here; a newer peer has others."""
    return frozenset(_KNOWN[name] for name in announced if name in _KNOWN)
