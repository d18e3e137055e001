"""Sockets of servers: path sockets are taken over from the dead, never from the living, and private;
why one cannot be listened on is told as the system tells it.
"""

import errno
import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest

_TAKEN = "it is taken by another process"


def remove_stale_socket(path: Path) -> None:
    """Remove a socket that nobody listens on any more; refuse to touch anything else."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidRequest(f"cannot listen on {path}: {error.strerror}") from None
    if not stat.S_ISSOCK(mode):
        raise InvalidRequest(f"cannot listen on {path}: the file exists and is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise InvalidRequest(f"cannot listen on {path}: {error.strerror}") from None
    raise InvalidRequest(f"cannot listen on {path}: another process listens there")


def cannot_listen(endpoint: Endpoint) -> InvalidRequest:
    """The error for an endpoint that gRPC could not bind, which does not say why: the system is
    asked again."""
    return InvalidRequest(f"cannot listen on {endpoint}: {_why_not(endpoint)}")


def why_not_bound(error: OSError) -> str:
    """What kept an address from being bound, for people; asyncio's text repeats the address."""
    number = error.errno or 0
    if number == errno.EADDRINUSE:
        return _TAKEN
    return os.strerror(number) if number > 0 else error.strerror or str(error)


@contextmanager
def private_umask() -> Iterator[None]:
    """A path socket belongs to nobody else until it has its mode and group."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def protect(path: Path, mode: int, group: str | None) -> None:
    """Give a socket its mode and, where one is named, its group. InvalidRequest for a group
    that does not exist, or that this user may not give it to; OSError."""
    if group is not None:
        try:
            number = grp.getgrnam(group).gr_gid
        except KeyError:
            raise InvalidRequest(f"--socket-group {group}: there is no such group") from None
        try:
            os.chown(path, -1, number)
        except PermissionError:
            raise InvalidRequest(
                f"--socket-group {group}: this user may not give {path} to it; run as a member of the group"
            ) from None
    path.chmod(mode)


def _why_not(endpoint: Endpoint) -> str:
    try:
        _bind_and_let_go(endpoint)
    except OSError as error:
        advice = "; is its directory there, and may this user write into it?"
        path = endpoint.transport is Transport.PATH and error.errno != errno.EADDRINUSE
        return why_not_bound(error) + (advice if path else "")
    return _TAKEN  # by somebody who has let it go since


def _bind_and_let_go(endpoint: Endpoint) -> None:
    """Raises what the system says. Looks a host up, as gRPC just did."""
    if endpoint.transport is not Transport.TCP:
        abstract = endpoint.transport is Transport.ABSTRACT
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(f"\0{endpoint.address}" if abstract else endpoint.address)
        if not abstract:
            Path(endpoint.address).unlink()
        return
    host, _, port = endpoint.address.rpartition(":")
    name = None if host == "*" else host.strip("[]")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        name, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
