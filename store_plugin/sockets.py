"""Path sockets of servers: taken over from the dead, never from the living, and private."""

import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store_plugin.errors import InvalidRequest


def remove_stale_socket(path: Path) -> None:
    """Remove a socket that nobody listens on any more; refuse to touch anything else."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
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
    that does not exist; OSError."""
    if group is not None:
        try:
            number = grp.getgrnam(group).gr_gid
        except KeyError:
            raise InvalidRequest(f"--socket-group {group}: there is no such group") from None
        os.chown(path, -1, number)
    path.chmod(mode)
