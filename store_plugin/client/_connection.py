"""Where a client connects and how: endpoint, TLS files, token and channel options.

Both clients get one `Connection`; only they know which of gRPC's two APIs makes the
channel of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import grpc

from store_plugin.client._token import Token
from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest, NotReachable
from store_plugin.grpc_options import UNCOMPRESSED

LONGEST_CALL = 86_400.0
"""Seconds: a day. gRPC takes a deadline that is centuries away, or never, for one that has passed."""
_MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""Above the largest secret (1 MiB of data, names and metadata) with room to spare."""
_FIRST_BACKOFF_MS = 100
_LONGEST_BACKOFF_MS = 500
_KEEPALIVE_MS = 120_000
"""Below what cuts quiet TCP connections, above what servers take for too many pings."""
_KEEPALIVE_TIMEOUT_MS = 20_000

Options = list[tuple[str, str | int]]
TlsMaterial = tuple[bytes, bytes | None, bytes | None]
"""CA certificates, private key, certificate chain: all PEM."""

ChannelT = TypeVar("ChannelT")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for TLS; with certificate and key, mutual TLS."""

    ca: Path
    certificate: Path | None
    key: Path | None

    @classmethod
    def in_directory(cls, directory: Path) -> "TlsFiles":
        """The three files as Kubernetes names them in a secret of type tls."""
        return cls(directory / "ca.crt", directory / "tls.crt", directory / "tls.key")

    def read(self) -> TlsMaterial:
        """NotReachable where a file cannot be read."""
        return (
            _read(self.ca),
            _read(self.key) if self.key else None,
            _read(self.certificate) if self.certificate else None,
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything a channel is made of. InvalidRequest where the parts do not fit together."""

    endpoint: Endpoint
    tls: TlsFiles | None
    server_name: str | None
    token: Token | None
    timeout: float
    connect_timeout: float

    def __post_init__(self) -> None:
        over_tcp = self.endpoint.transport is Transport.TCP
        if over_tcp and self.tls is None:
            raise InvalidRequest(f"{self.endpoint} is reached over TLS only: give certs_dir or ca_file")
        if not over_tcp and self.tls is not None:
            raise InvalidRequest(f"{self.endpoint} is a socket: it takes no certificates")
        if self.tls and (self.tls.certificate is None) != (self.tls.key is None):
            raise InvalidRequest("cert_file and key_file belong together: give both or none")
        if not (self.timeout > 0 and self.connect_timeout > 0):  # so written, nan is refused too
            raise InvalidRequest("timeouts are seconds above 0")

    def options(self) -> Options:
        """Channel options."""
        to_connect = int(min(self.connect_timeout, LONGEST_CALL) * 1000)
        options: Options = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            UNCOMPRESSED,
            ("grpc.initial_reconnect_backoff_ms", _FIRST_BACKOFF_MS),
            ("grpc.max_reconnect_backoff_ms", _LONGEST_BACKOFF_MS),
            # Its name notwithstanding, the longest that one attempt to connect may take.
            ("grpc.min_reconnect_backoff_ms", to_connect),
            # A name server that is silent, too, is none of the call's own time.
            ("grpc.dns_ares_query_timeout", max(1, to_connect)),
        ]
        if self.endpoint.transport is not Transport.TCP:
            # Otherwise the percent-encoded path, which strict HTTP/2 servers refuse.
            options.append(("grpc.default_authority", "localhost"))
            return options
        if self.server_name:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        options += [
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ]
        return options

    def tls_material(self) -> TlsMaterial | None:
        """The TLS files as they are now."""
        return self.tls.read() if self.tls else None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Call metadata: the token, if there is one."""
        return (("authorization", f"Bearer {self.token.current()}"),) if self.token else ()


@dataclass(frozen=True, slots=True)
class OpenChannel(Generic[ChannelT]):
    """A channel, and what the TLS files held when it was made."""

    channel: ChannelT
    material: TlsMaterial | None = field(repr=False)


def open_channel(
    connection: Connection,
    plain: Callable[[str, Options], ChannelT],
    secure: Callable[[str, grpc.ChannelCredentials, Options], ChannelT],
) -> OpenChannel[ChannelT]:
    """A new channel, made by `plain` or `secure` of one of gRPC's APIs. NotReachable where
    a TLS file cannot be read."""
    material = connection.tls_material()
    target, options = connection.endpoint.target, connection.options()
    if material is None:
        return OpenChannel(plain(target, options), material)
    return OpenChannel(secure(target, grpc.ssl_channel_credentials(*material), options), material)


def tls_files(
    certs_dir: str | Path | None,
    ca_file: str | Path | None,
    cert_file: str | Path | None,
    key_file: str | Path | None,
) -> TlsFiles | None:
    """The TLS files that the options name: those of a directory, single ones instead of
    them, or none."""
    found = TlsFiles.in_directory(Path(certs_dir)) if certs_dir else None
    ca = Path(ca_file) if ca_file else (found.ca if found else None)
    certificate = Path(cert_file) if cert_file else (found.certificate if found else None)
    key = Path(key_file) if key_file else (found.key if found else None)
    if ca:
        return TlsFiles(ca, certificate, key)
    if certificate or key:
        raise InvalidRequest("cert_file and key_file need ca_file: the server is always verified")
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotReachable(f"cannot read {path} for TLS: {error.strerror}") from None
