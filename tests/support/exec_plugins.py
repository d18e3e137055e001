"""Exec plugins of tests: shell scripts that answer with what stands in a file, and keep count."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from store_plugin.access.exec_credential import API_VERSIONS, ExecStatus, status_text

_OURS = ("profileSourced", "inherit", "digest", "signature")
_HEAD = '#!/bin/sh\nprintf \'%s\\n\' run >> "$(dirname "$0")/$(basename "$0").runs"\n'


class ExecPlugin:
    """One plugin. What it answers can be changed at any time."""

    def __init__(self, directory: Path, name: str = "plugin", body: str | None = None) -> None:
        self.path = directory / name
        self._answer = directory / f"{name}.answer"
        self._runs = directory / f"{name}.runs"
        self.path.write_text(_HEAD + (f'cat "{self._answer}"\n' if body is None else body))
        self.path.chmod(0o700)

    def answers(
        self, token: str = "", *, lasts: timedelta | None = None, certificate: bytes = b"", key: bytes = b""
    ) -> None:
        expires = None if lasts is None else datetime.now(UTC) + lasts
        self.prints(status_text(API_VERSIONS[0], ExecStatus(token, certificate, key, expires)))

    def prints(self, text: str) -> None:
        renewed = self._answer.with_suffix(".new")
        renewed.write_text(text)
        renewed.replace(self._answer)

    @property
    def runs(self) -> int:
        """How often it was run."""
        return self._runs.read_text().count("run") if self._runs.exists() else 0


def provider(program: object, name: str = "tests", **fields: Any) -> dict[str, Any]:
    """A provider of an access config: fields of ours beside `execConfig`'s by where they belong."""
    outer = {key: fields.pop(key) for key in list(fields) if key.startswith(_OURS)}
    exec_config = {
        "apiVersion": API_VERSIONS[0],
        "command": str(program),
        "interactiveMode": "Never",
        **fields,
    }
    return {"name": name, "execConfig": exec_config, **outer}


def access_file(directory: Path, *providers: Mapping[str, Any], name: str = "providers.json") -> Path:
    file = directory / name
    file.write_text(json.dumps({"providers": providers}))
    return file


def profile(
    name: str = "member",
    *,
    server: str = "https://127.0.0.1:6443",
    provider: str = "tests",
    extensions: Mapping[str, Any] | None = None,
    field: str = "accessProviders",
    **cluster: Any,
) -> dict[str, Any]:
    """A ClusterProfile whose status names one provider."""
    listed = [{"name": key, "extension": value} for key, value in (extensions or {}).items()]
    entry = {"name": provider, "cluster": {"server": server, "extensions": listed, **cluster}}
    return {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ClusterProfile",
        "metadata": {"namespace": "fleet", "name": name},
        "spec": {"displayName": name, "clusterManager": {"name": "tests"}},
        "status": {field: [entry]},
    }
