"""Store config manifests for tests, written into a directory."""

import base64
import secrets
from pathlib import Path
from typing import Any

import yaml

GROUP_VERSION = "secrets.crossplane.io/v1alpha1"


def manifest(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": GROUP_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def write(directory: Path, kind: str, name: str, spec: dict[str, Any]) -> Path:
    """One manifest in a file of its own, put in place in one step."""
    path = directory / f"{kind.lower()}-{name}.yaml"
    beside = directory / f".{path.name}.new"
    beside.write_text(yaml.safe_dump(manifest(kind, name, spec)))
    beside.rename(path)
    return path


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def from_file(path: Path) -> dict[str, Any]:
    return {"source": "Filesystem", "fs": {"path": str(path)}}


def local(directory: Path, name: str, data_dir: Path, **spec: Any) -> Path:
    """A LocalConfig with a database and a key file of its own in `data_dir`."""
    key_file = data_dir / f"{name}.key"
    if not key_file.exists():
        key_file.write_text(new_key() + "\n")
        key_file.chmod(0o600)
    whole = {"path": str(data_dir / f"{name}.db"), "key": from_file(key_file), **spec}
    return write(directory, "LocalConfig", name, whole)


def aws(directory: Path, name: str, data_dir: Path, endpoint: str, **spec: Any) -> Path:
    """An AWSConfig with static keys, which are files in `data_dir`."""
    static = {}
    for key in ("accessKeyID", "secretAccessKey"):
        (data_dir / key).write_text(f"AKIA{key}")
        static[key] = from_file(data_dir / key)
    auth = {"method": "Static", "static": static}
    whole = {"region": "eu-west-1", "endpoint": endpoint, "auth": auth, **spec}
    return write(directory, "AWSConfig", name, whole)
