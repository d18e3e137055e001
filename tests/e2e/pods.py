"""Pods of an API server, run by podman: what it cannot do is put into words it understands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.containers import Containers
from tests.support.helm import Manifest

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_FIELDS = {"status.podIP": "10.0.0.1", "status.hostIP": "10.0.0.2"}
"""No Pod here has an address."""


def for_podman(name: str, spec: Manifest) -> Manifest:
    """The Pod with its sidecar among the containers, since podman 4.3 waits for the end of an
    init container. Probes and tokens are the kubelet's: there is none."""
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    projected = {volume["name"] for volume in spec.get("volumes", []) if "projected" in volume}
    volumes = [
        {"name": one["name"], "emptyDir": {}} if one["name"] in projected else one for one in spec["volumes"]
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "containers": [_container(one) for one in containers],
            "volumes": volumes,
        },
    }


def _container(container: Manifest) -> Manifest:
    kept = {key: value for key, value in container.items() if key not in (*_PROBES, "restartPolicy")}
    return {**kept, "imagePullPolicy": "Never", "env": [_variable(one) for one in container.get("env", [])]}


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    if "valueFrom" not in variable:
        return variable
    return {"name": variable["name"], "value": _FIELDS[variable["valueFrom"]["fieldRef"]["fieldPath"]]}


@contextmanager
def running(podman: Containers, manifest: Manifest) -> Iterator[str]:
    """Play it without a network; its name. A container NAME of it is `POD-NAME`."""
    name = str(manifest["metadata"]["name"])
    path = podman.directory / f"{name}.json"
    path.write_text(json.dumps(manifest))
    try:
        podman.run("kube", "play", "--network", "none", str(path))
        yield name
    finally:
        podman.run("pod", "rm", "--force", "--ignore", "--time", "0", name)
