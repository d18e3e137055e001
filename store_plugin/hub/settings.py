"""What a hub is told: limits, times, aliases. Times are seconds, sizes bytes."""

from dataclasses import dataclass, field

from store_plugin.errors import InvalidRequest
from store_plugin.hub.registry import Limits, OnDuplicate
from store_plugin.stream.frames import DEFAULT_MAX_MESSAGE_BYTES, MOST_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Alias:
    """Another service name that PluginStream is served under, for programs that declared it
    in a proto of their own. `envelope`: each frame rides in field 1 of a message, as bytes."""

    service: str
    envelope: bool = False


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Everything about a hub but its listeners. InvalidRequest for a size that plugins do not take."""

    limits: Limits = field(default_factory=Limits)
    on_duplicate: OnDuplicate = OnDuplicate.REPLACE
    register_within: float = 10.0
    """For the first frame after the stream is open."""
    heartbeat_interval: float = 10.0
    """Proxies cut streams that are quiet for 30 s."""
    missed_heartbeats: int = 3
    """So many since the last sign of life, and the stream counts as lost."""
    drain_grace: float = 30.0
    """For the calls of a stream that is replaced or too old."""
    max_stream_age: float = 3600.0
    """After this a stream is drained, so that the plugin shows its credentials again."""
    max_connection_idle: float = 60.0
    """For a connection without a call: a plugin opens its stream at once, others keep none of ours."""
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    """Up to 64 MiB; plugins that announce no features get up to 4 MiB, however much it is."""
    aliases: tuple[Alias, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.max_message_bytes <= MOST_MESSAGE_BYTES:
            raise InvalidRequest(
                f"max_message_bytes is {self.max_message_bytes}: it may be 1 to {MOST_MESSAGE_BYTES}, "
                "which is what plugins take"
            )
