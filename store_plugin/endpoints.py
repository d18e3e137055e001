"""Endpoints as people spell them, read in one place for clients and listeners alike.

Accepted: `unix:///@name`, `unix:@name`, `unix-abstract:name`, `@name` (abstract sockets),
`unix:///path`, `unix:/path`, `/path` (path sockets), `dns:///host:port`,
`https://host:port`, `host:port` (TCP). docs/wire.md, "ESS".
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from typing import Self

from store_plugin.errors import InvalidRequest

DEFAULT_ENDPOINT = "unix:///@crossplane/secret/default.sock"

_ABSTRACT_PREFIXES = ("unix:///@", "unix:@", "unix-abstract:", "@")
_PATH_PREFIXES = ("unix://", "unix:", "")
_TCP_PREFIXES = ("dns:///", "https://", "")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+|\*):(?P<port>\d{1,5})\Z")
_LONGEST_SOCKET_NAME = 107
"""Bytes that fit into sockaddr_un.sun_path, less the leading or trailing NUL."""


class Transport(Enum):
    """How an endpoint is reached."""

    ABSTRACT = "abstract socket"
    PATH = "path socket"
    TCP = "TCP"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint: `address` is the socket's name, its path, or host:port."""

    transport: Transport
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The endpoint spelled `text`; InvalidRequest says which spellings there are."""
        for prefix in _ABSTRACT_PREFIXES:
            if text.startswith(prefix):
                return cls(Transport.ABSTRACT, _socket_name(text, text.removeprefix(prefix)))
        for prefix in _PATH_PREFIXES:
            if text.startswith(prefix + "/"):
                return cls(Transport.PATH, _socket_name(text, text.removeprefix(prefix)))
        for prefix in _TCP_PREFIXES:
            found = _HOST_PORT.match(text.removeprefix(prefix)) if text.startswith(prefix) else None
            if found and int(found["port"]) < 65536:
                return cls(Transport.TCP, found[0])
        raise InvalidRequest(
            f"{text!r} is not an endpoint: write unix:///@name, unix:///path, dns:///host:port or host:port"
        )

    @property
    def target(self) -> str:
        """The endpoint as gRPC channels take it."""
        match self.transport:
            case Transport.ABSTRACT:
                return f"unix-abstract:{self.address}"
            case Transport.PATH:
                return f"unix:{self.address}"
            case Transport.TCP:
                return f"dns:///{self.address}"

    @property
    def listen_address(self) -> str:
        """The endpoint as gRPC servers take it."""
        return self.address if self.transport is Transport.TCP else self.target

    @property
    def is_loopback(self) -> bool:
        """Whether it is TCP that no other machine reaches."""
        if self.transport is not Transport.TCP:
            return False
        host = self.address.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def __str__(self) -> str:
        match self.transport:
            case Transport.ABSTRACT:
                return f"unix:///@{self.address}"
            case Transport.PATH:
                return f"unix://{self.address}"
            case Transport.TCP:
                return self.address


def _socket_name(text: str, name: str) -> str:
    if not name or "\0" in name:
        raise InvalidRequest(f"{text!r} names no socket")
    if len(name.encode()) > _LONGEST_SOCKET_NAME:
        raise InvalidRequest(f"{text!r} is too long for a socket: at most {_LONGEST_SOCKET_NAME} bytes")
    return name
