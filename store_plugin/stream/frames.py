"""Frames made and read in one place, so that neither end builds them by hand."""

import re
from collections.abc import Iterable, Sequence

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.stream.features import PROTOCOL_VERSION, Feature

Frame = proto.PluginStreamMessage
EOF: object = grpc.aio.EOF  # type: ignore[attr-defined]  # missing in the stub
"""What reading a stream gives at its end."""
Metadata = tuple[tuple[str, str | bytes], ...]
"""Of a call, as gRPC has it: keys that end in `-bin` hold bytes, all others text."""

METHOD_PATH = "/pluginframework.v1.PluginFrameworkService/PluginStream"
DEFAULT_MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""Largest frame, in bytes, of a hub that is not set otherwise."""
MOST_MESSAGE_BYTES = 64 * 1024 * 1024
"""Most that a hub may be set to: what every plugin of ours takes, which is dialled before it is told."""
UNTOLD_MESSAGE_BYTES = 4 * 1024 * 1024
"""Most for a peer that does not tell, nor is told: of the framework, which leaves gRPC's limit as it is."""

_LONGEST_DURATION = 315_576_000_000.0
"""Seconds: 10,000 years."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
HUB_MARK = ("store-plugin-hub", "acknowledges")
"""In the headers of a hub's health checks: it acknowledges registrations, so that one without an
answer got lost. Hubs of the framework are silent until they call."""


def is_plugin_name(name: str) -> bool:
    """Whether `name` is a DNS label, as plugin names are."""
    return _NAME.match(name) is not None


def method_name(method: str) -> str:
    """The bare name of a method: `/package.Service/Method` and `Method` mean the same."""
    return method.rpartition("/")[2]


def service_name(method: str) -> str:
    """The service in a full method name; empty for a bare one."""
    return method.strip("/").rpartition("/")[0]


def register(
    name: str,
    version: str,
    *,
    instance_id: str = "",
    features: Iterable[Feature] = (),
    services: Iterable[str] = (),
    kinds: Iterable[proto.PluginKind] = (),
) -> Frame:
    """The first frame of a plugin."""
    announced = sorted(feature.value for feature in features)
    return Frame(
        register=proto.PluginRegister(
            name=name,
            version=version,
            features=announced,
            instance_id=instance_id,
            kinds=kinds,
            services=services,
            protocol_versions=[PROTOCOL_VERSION] if announced else [],
        )
    )


def registered(
    instance_id: str, features: Iterable[Feature], heartbeat_interval: float, max_message_bytes: int
) -> Frame:
    """The hub's answer to a registration; the interval is in seconds, 0: no heartbeat."""
    return Frame(
        registered=proto.PluginRegistered(
            instance_id=instance_id,
            features=sorted(feature.value for feature in features),
            heartbeat_interval=duration(heartbeat_interval) if heartbeat_interval else None,
            max_message_bytes=max_message_bytes,
        )
    )


def call(
    request_id: str,
    method: str,
    payload: bytes,
    *,
    timeout: float | None = None,
    metadata: Metadata = (),
) -> Frame:
    """A call; `timeout` (seconds) and `metadata` only for a peer with Feature.METADATA."""
    return Frame(
        rpc_call=proto.PluginRPCCall(
            request_id=request_id,
            method=method,
            payload=payload,
            timeout=None if timeout is None else duration(timeout),
            metadata=entries(metadata),
        )
    )


def response(request_id: str, payload: bytes, *, more: bool = False, trailing: Metadata = ()) -> Frame:
    """A reply; `more`: others follow to the same call."""
    return Frame(
        rpc_response=proto.PluginRPCResponse(
            request_id=request_id, payload=payload, more=more, trailing_metadata=entries(trailing)
        )
    )


def failure(request_id: str, status: status_pb2.Status, *, trailing: Metadata = ()) -> Frame:
    """A call's failure, for a peer with Feature.STATUS."""
    return Frame(
        rpc_response=proto.PluginRPCResponse(
            request_id=request_id, status=status, trailing_metadata=entries(trailing)
        )
    )


def error(request_id: str, code: str, message: str) -> Frame:
    """A call's failure as the framework spells it."""
    return Frame(error=proto.PluginError(message=message, code=code, request_id=request_id))


def cancel(request_id: str) -> Frame:
    """Nobody waits for that call any more."""
    return Frame(cancel=proto.PluginCancel(request_id=request_id))


def taken(request_id: str, responses: int) -> Frame:
    """The caller has taken so many more responses; for a peer with Feature.FLOW_CONTROL."""
    return Frame(taken=proto.PluginTaken(request_id=request_id, responses=responses))


def drain(grace: float) -> Frame:
    """No new calls over this stream; those under way have `grace` seconds."""
    return Frame(drain=proto.PluginDrain(grace=duration(grace)))


def entries(metadata: Metadata) -> list[proto.PluginMetadata]:
    """Metadata as messages."""
    return [
        proto.PluginMetadata(key=key, value=value.encode() if isinstance(value, str) else value)
        for key, value in metadata
    ]


def metadata_of(found: Sequence[proto.PluginMetadata]) -> Metadata:
    """Metadata from messages; what is no text where text must be is left out."""
    return tuple(pair for entry in found for pair in _pair(entry))


def _pair(entry: proto.PluginMetadata) -> tuple[tuple[str, str | bytes], ...]:
    if entry.key.endswith("-bin"):
        return ((entry.key, entry.value),)
    try:
        return ((entry.key, entry.value.decode()),)
    except UnicodeDecodeError:
        return ()


def duration(seconds: float) -> Duration:
    """Seconds as protobuf has them, `inf` too: the longest that it has."""
    made = Duration()
    made.FromNanoseconds(int(min(max(0.0, seconds), _LONGEST_DURATION) * 1e9))
    return made


def seconds(found: Duration) -> float:
    """Protobuf's duration in seconds."""
    return float(found.ToNanoseconds()) / 1e9
