"""A proxy that lets gRPC streams through as kube-rbac-proxy does: `tests/rbacproxy/main.go`."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Bundle
from tests.support.ports import free_port
from tests.support.processes import end
from tests.support.tools import tool
from tests.support.waiting import eventually


@dataclass(frozen=True)
class RbacProxy:
    """A running one, at `address` (`host:port`)."""

    address: str
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        """Break all its connections at once."""
        end(self.process, gently=False)


@contextmanager
def rbac_proxy(
    directory: Path, server: Bundle, kubeconfig: Path, upstream: str, flags: Sequence[str]
) -> Iterator[RbacProxy]:
    """One that passes on to `upstream` (`host:port`). `flags` are the others."""
    address = f"127.0.0.1:{free_port()}"
    certs = server.write(directory / "proxy")
    command = [
        str(tool("rbac-proxy")),
        f"--secure-listen-address={address}",
        f"--tls-cert-file={certs / 'tls.crt'}",
        f"--tls-private-key-file={certs / 'tls.key'}",
        f"--upstream=http://{upstream}/",
        f"--kubeconfig={kubeconfig}",
        *flags,
    ]
    with (directory / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: process.poll() is not None or _listens(address))
        assert process.poll() is None, (directory / "proxy.log").read_text()
        yield RbacProxy(address, process)
    finally:
        end(process)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
