"""Frames as bytes, plain or in an envelope. Which one is configured per service, never
guessed: the first field of both is number 1."""

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.errors import InvalidRequest
from store_plugin.stream.frames import Frame


@dataclass(frozen=True, slots=True)
class Codec:
    """How frames of one service are written and read. `read`: InvalidRequest. `around`: bytes, at
    most, that a frame is longer for it."""

    write: Callable[[Frame], bytes]
    read: Callable[[bytes], Frame]
    around: int = 0


def _read(data: bytes) -> Frame:
    try:
        return Frame.FromString(data)
    except DecodeError:
        raise InvalidRequest("a frame of the stream is not a PluginStreamMessage") from None


def _read_enveloped(data: bytes) -> Frame:
    try:
        return _read(proto.PluginEnvelope.FromString(data).data)
    except DecodeError:
        raise InvalidRequest(
            "a frame of the stream is not in the envelope this alias is set up for"
        ) from None


PLAIN = Codec(Frame.SerializeToString, _read)
ENVELOPED = Codec(
    lambda frame: proto.PluginEnvelope(data=frame.SerializeToString()).SerializeToString(),
    _read_enveloped,
    around=5,
)
