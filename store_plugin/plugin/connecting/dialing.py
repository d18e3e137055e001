"""From an endpoint to an open stream: addresses, TLS, token, and a first call that tells
whether we may come in."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest, NotReachable
from store_plugin.grpc_options import UNCOMPRESSED
from store_plugin.plugin.connecting.refusals import meaning_of
from store_plugin.plugin.tokens import TokenSource, token_of
from store_plugin.stream import frames

DIAL_SECONDS = 10.0
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for TLS, read anew for each connection, or what they would hold. Without `ca`: the
    system's authorities."""

    ca: Path | bytes | None = None
    certificate: Path | bytes | None = None
    key: Path | bytes | None = field(default=None, repr=False)
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """Where a hub is and how to get in. `tls` may be asked for at each connection. InvalidRequest
    where that cannot work."""

    endpoint: Endpoint
    tls: Tls | Callable[[], Tls] | None = None
    token: TokenSource | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and self.tls is None and not self._private():
            raise InvalidRequest(f"a token is sent to {self.endpoint} over TLS only: write https://host:port")

    def _private(self) -> bool:
        return self.endpoint.transport is not Transport.TCP or self.endpoint.is_loopback


def door_to(
    endpoint: str,
    token: TokenSource | None,
    ca: str | Path | None,
    certificate: str | Path | None,
    key: str | Path | None,
    server_name: str | None,
) -> Door:
    """The door that people describe with these. InvalidRequest where they cannot work together."""
    parsed = Endpoint.parse(endpoint)
    if (certificate is None) != (key is None):
        raise InvalidRequest("certificate and key belong together: give both or none")
    secure = endpoint.startswith("https://") or ca is not None or certificate is not None
    if secure and parsed.transport is not Transport.TCP:
        raise InvalidRequest(f"{endpoint} is a socket: it takes no certificates")
    if isinstance(token, str) and token.startswith("/") and Path(token).is_file():
        raise InvalidRequest(f"the token is the path of a file: write Path({token!r}) to have that read")
    tls = Tls(_path(ca), _path(certificate), _path(key), server_name) if secure else None
    return Door(parsed, tls, token)


async def addresses(endpoint: Endpoint) -> list[str]:
    """The gRPC targets behind an endpoint: one for a socket, one per address of a host, so that
    each replica behind a headless Service gets a stream. NotReachable where the name has none."""
    if endpoint.transport is not Transport.TCP:
        return [endpoint.target]
    host, port = _host(endpoint.address), int(endpoint.address.rpartition(":")[2])
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotReachable(f"the name of {endpoint} cannot be resolved: {error.strerror}") from None
    except UnicodeError:
        raise NotReachable(f"the name of {endpoint} is no host's: a label has 1 to 63 characters") from None
    # One family: a host with both is one hub and not two.
    family = min(entry[0] for entry in found)
    plain = sorted({entry[4][0] for entry in found if entry[0] is family})
    return [f"ipv4:{a}:{port}" if family is socket.AF_INET else f"ipv6:[{a}]:{port}" for a in plain]


def channel_to(target: str, door: Door) -> grpc.aio.Channel:
    """A channel; NotReachable where a TLS file cannot be read."""
    options: list[tuple[str, Any]] = [
        ("grpc.enable_http_proxy", 0),
        # The hub's limit comes with its first frame, and is kept to from there on.
        ("grpc.max_send_message_length", frames.MOST_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", frames.MOST_MESSAGE_BYTES),
        # Streams to different hubs, or after a change of certificates, share nothing.
        ("grpc.use_local_subchannel_pool", 1),
        UNCOMPRESSED,
    ]
    if door.endpoint.transport is not Transport.TCP:
        options.append(("grpc.default_authority", "localhost"))
        return grpc.aio.insecure_channel(target, options)
    if door.tls is None:
        options.append(("grpc.default_authority", door.endpoint.address))
        return grpc.aio.insecure_channel(target, options)
    tls = door.tls if isinstance(door.tls, Tls) else door.tls()
    # gRPC compares the certificate with both, and refuses a call to an authority that is not in it.
    options.append(("grpc.default_authority", tls.server_name or door.endpoint.address))
    options.append(("grpc.ssl_target_name_override", tls.server_name or _host(door.endpoint.address)))
    return grpc.aio.secure_channel(target, _credentials(tls), options)


async def metadata_for(door: Door) -> tuple[tuple[str, str], ...]:
    """What is sent to be let in. TokenUnavailable."""
    if door.token is None:
        return ()
    return (("authorization", f"Bearer {await token_of(door.token)}"),)


async def knock(channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...], where: str) -> bool:
    """One plain call before the stream: a proxy's refusal of a stream comes in many shapes, that
    of a plain call in one. Returns whether a hub of ours answered, which acknowledges. PluginRefused,
    NotReachable; servers without health checks are fine."""
    check = channel.unary_unary(_HEALTH_CHECK, bytes, bytes)(b"", timeout=DIAL_SECONDS, metadata=metadata)
    try:
        await check
        return frames.HUB_MARK in tuple(await check.initial_metadata())
    except grpc.aio.AioRpcError as error:
        meaning = meaning_of(error, where)
    if meaning is None:
        return False
    try:
        raise meaning
    finally:
        # Else the error holds this frame, which holds the error, and both the call. A call that waits to be
        # collected keeps its channel alive, closed or not, and that goes on dialling.
        del check, meaning


def open_stream(
    channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...], path: str = frames.METHOD_PATH
) -> Any:
    """The stream, as grpc.aio has it."""
    serialize: Callable[[frames.Frame], bytes] = frames.Frame.SerializeToString
    return channel.stream_stream(path, serialize, frames.Frame.FromString)(None, metadata=metadata)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    try:
        ca, certificate, key = (_content(source) for source in (tls.ca, tls.certificate, tls.key))
    except OSError as error:
        raise NotReachable(f"{error.filename} cannot be read for TLS: {error.strerror}") from None
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _content(source: Path | bytes | None) -> bytes | None:
    return source.read_bytes() if isinstance(source, Path) else source


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
