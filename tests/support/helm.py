"""Charts, linted and rendered by the real Helm, and brought into a cluster by kubectl."""

import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubernetes import Cluster
from tests.support.tools import tool

CHARTS = Path(__file__).parents[2] / "charts"
CHART = CHARTS / "store-plugin"
LIBRARY = CHARTS / "store-plugin-sidecar"
POLICIES = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
RELEASE = "store-plugin"
_ENVIRONMENT = {"HOME": "/nonexistent"}
"""Nothing of the user's: no other cluster, no plugins of Helm."""

Manifest = dict[str, Any]
Values = Mapping[str, Any]


class Refused(Exception):
    """What helm or kubectl says on standard error."""


def helm(*arguments: str, values: Values | None = None) -> str:
    """Standard output of a command; Refused where it fails."""
    given = ["--values=-"] if values is not None else []
    return _run([str(tool("helm")), *arguments, *given], yaml.safe_dump(dict(values or {})))


def lint(chart: Path, values: Values | None = None) -> str:
    """What `helm lint --strict` says; Refused where it fails."""
    return helm("lint", "--strict", str(chart), values=values or {})


def render(
    values: Values,
    chart: Path = CHART,
    *,
    namespace: str = "store-plugin",
    api_versions: Sequence[str] = (POLICIES,),
    options: Sequence[str] = (),
) -> list[Manifest]:
    """The manifests of a release. Refused where values do not fit, or a template fails."""
    offline = [f"--api-versions={version}" for version in api_versions]
    place = (f"--namespace={namespace}", *offline, *options)
    text = _rendered(chart, place, yaml.safe_dump(dict(values)))
    return [document for document in yaml.safe_load_all(text) if document]


@cache
def _rendered(chart: Path, place: tuple[str, ...], values: str) -> str:
    """The same values make the same manifests, and several tests look at those of one switch."""
    return helm("template", RELEASE, str(chart), *place, values=yaml.safe_load(values))


def kubectl(cluster: Cluster, directory: Path, *arguments: str, manifests: Sequence[Manifest] = ()) -> str:
    """Standard output of kubectl as the admin, with manifests on its standard input."""
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(cluster.kubeconfig()))
    command = [str(tool("kubectl")), f"--kubeconfig={kubeconfig}", *arguments]
    return _run([*command, *(["--filename=-"] if manifests else [])], yaml.safe_dump_all(manifests))


def only(manifests: Sequence[Manifest], kind: str, name: str = "", *, namespace: str = "") -> Manifest:
    """The one of a kind; where they are given, of a name and in a namespace."""
    (found,) = (
        one
        for one in manifests
        if one["kind"] == kind
        and name in ("", one["metadata"]["name"])
        and namespace in ("", one["metadata"].get("namespace"))
    )
    return found


def _run(command: Sequence[str], text: str) -> str:
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_ENVIRONMENT,
    )
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout
