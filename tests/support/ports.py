"""Loopback ports that belong to one test alone, however many test processes run at once.

A port that was free a moment ago may be dealt out to a neighbour, and a test of a server that is
not there then meets one. So: ports below those that the kernel deals out, each claimed for as long
as this process lives by an abstract socket of its number.
"""

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_TRIES = 1_000
_claims: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody uses and that no other test will get."""
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, _first_dealt_out())
        if _claimed(port) and _claimed(port + 1) and _unused(port):  # OpenBao takes the next one, too
            return port
    raise RuntimeError(f"no free port found in {_TRIES} tries")


def _first_dealt_out() -> int:
    """The lowest port that a socket gets which asks for any."""
    lowest, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return max(int(lowest), _LOWEST + 10_000)


def _claimed(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0store-plugin-test/port/{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
