"""The sidecar of the demo: its manifests, its socket, its process."""

import base64
import json
import os
import secrets
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from store_plugin.cli._demo.openbao import MOUNT, OpenBao
from store_plugin.cli._demo.processes import free_ports, running
from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint

_API_VERSION = "secrets.crossplane.io/v1alpha1"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The running sidecar."""

    endpoint: Endpoint
    log: Path
    database: Path
    """The file of LocalConfig/file."""


def default_endpoint_is_free() -> bool:
    """Whether nobody has the sidecar's default socket name."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind("\0" + Endpoint.parse(DEFAULT_ENDPOINT).address)
        except OSError:
            return False
        return True


@contextmanager
def running_sidecar(directory: Path, endpoint: Endpoint, bao: OpenBao) -> Iterator[Sidecar]:
    """`store-plugin serve` with a VaultConfig `openbao` and a LocalConfig `file`."""
    sidecar = Sidecar(endpoint, directory / "sidecar.log", directory / "secrets.db")
    configs = _write_configs(directory, sidecar, bao)
    admin = f"127.0.0.1:{free_ports(1)[0]}"
    command = [sys.executable, "-m", "store_plugin.cli", "serve", "--config-dir", str(configs)]
    command += ["--listen", str(endpoint), "--admin-listen", admin, "--shutdown-grace", "5"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STORE_PLUGIN_")}
    with running("the sidecar", command, environ, sidecar.log, lambda: _is_ready(admin)):
        yield sidecar


def _write_configs(directory: Path, sidecar: Sidecar, bao: OpenBao) -> Path:
    """Manifests in a directory of their own; credentials beside it, by file reference."""
    configs = directory / "configs"
    configs.mkdir()
    token, key = directory / "openbao.token", directory / "local.key"
    _write_private(token, bao.token)
    _write_private(key, base64.b64encode(secrets.token_bytes(32)).decode())
    _write_config(
        configs,
        "VaultConfig",
        "openbao",
        {
            "server": bao.address,
            "mountPath": MOUNT,
            "version": "v2",
            "auth": {"method": "Token", "token": _in_file(token)},
        },
    )
    _write_config(configs, "LocalConfig", "file", {"path": str(sidecar.database), "key": _in_file(key)})
    return configs


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text + "\n")


def _in_file(path: Path) -> dict[str, object]:
    return {"source": "Filesystem", "fs": {"path": str(path)}}


def _write_config(configs: Path, kind: str, name: str, spec: dict[str, object]) -> None:
    """JSON is YAML too."""
    manifest = {"apiVersion": _API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
    (configs / f"{name}.yaml").write_text(json.dumps(manifest, indent=2))


def _is_ready(admin: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{admin}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
