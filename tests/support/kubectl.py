"""The real kubectl, with a kubeconfig whose user is a credential plugin."""

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.kubernetes import Cluster
from tests.support.tools import tool


def exec_user(
    command: Sequence[str], *, version: str = "v1", environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A user whose credential comes from `command`."""
    return {
        "exec": {
            "apiVersion": f"client.authentication.k8s.io/{version}",
            "command": command[0],
            "args": list(command[1:]),
            "env": [{"name": name, "value": value} for name, value in (environ or {}).items()],
            "provideClusterInfo": True,
            "interactiveMode": "Never",
        }
    }


def kubeconfig_of(cluster: Cluster, user: Mapping[str, Any], extension: object = None) -> dict[str, Any]:
    """A kubeconfig of the cluster, with what plugins are told of it."""
    reached: dict[str, Any] = {
        "server": cluster.address,
        "certificate-authority-data": b64encode(cluster.ca).decode(),
    }
    if extension is not None:
        reached["extensions"] = [{"name": "client.authentication.k8s.io/exec", "extension": extension}]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "member", "cluster": reached}],
        "users": [{"name": "plugin", "user": dict(user)}],
        "contexts": [{"name": "member", "context": {"cluster": "member", "user": "plugin"}}],
        "current-context": "member",
    }


def kubectl(
    directory: Path, kubeconfig: Mapping[str, Any], *arguments: str, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """`kubectl ARGUMENTS`, ended; whatever it says of itself is kept in `directory`."""
    path = directory / "kubeconfig.json"
    path.write_text(json.dumps(kubeconfig))
    return subprocess.run(
        [
            str(tool("kubectl")),
            "--kubeconfig",
            str(path),
            "--cache-dir",
            str(directory / "cache"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), **environ},
    )
