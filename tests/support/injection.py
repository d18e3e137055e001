"""The admission policies of the chart in force on a real API server."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.helm import Manifest, kubectl, render
from tests.support.kubernetes import ApiError, Cluster
from tests.support.waiting import eventually

LABEL = "secrets.crossplane.io/inject"
SIDECAR = "store-plugin"
_IMAGE = {"repository": "registry.example.com/store-plugin"}
_IN_FORCE_SECONDS = 30.0


def pod(profile: str | None, **spec: Any) -> Manifest:
    """A Pod of one container, with the label where there is a profile."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "operator-", "labels": {} if profile is None else {LABEL: profile}},
        "spec": {"containers": [{"name": "operator", "image": "operator"}], **spec},
    }


class Injection:
    """A namespace under the policies. Nothing that is admitted is kept."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.namespace = cluster.namespace()
        cluster.service_account(self.namespace, "default")

    def admitted(self, manifest: Manifest) -> Manifest:
        """The Pod's spec after admission; ApiError where it is refused."""
        path = f"/api/v1/namespaces/{self.namespace}/pods?dryRun=All"
        spec: Manifest = self.cluster.api("POST", path, manifest)["spec"]
        return spec

    def is_touched(self, profile: str) -> bool:
        """Whether a Pod with the label is changed or refused."""
        try:
            return "initContainers" in self.admitted(pod(profile))
        except ApiError:
            return True

    def is_in_force(self, profile: str) -> bool:
        try:
            return [one["name"] for one in self.admitted(pod(profile))["initContainers"]] == [SIDECAR]
        except (ApiError, KeyError):
            return False


@contextmanager
def injecting(
    cluster: Cluster,
    directory: Path,
    profiles: Mapping[str, Any],
    *,
    image: Mapping[str, str] | None = None,
    without: str = "",
) -> Iterator[Injection]:
    """The policies for these profiles, as the chart has them; of the profile `without` only what
    validates is brought."""
    values = {
        "image": image or _IMAGE,
        "crds": {"enabled": False},
        "rbac": {"enabled": False},
        "injection": {"enabled": True, "profiles": profiles},
    }
    policies = [one for one in render(values) if not one["metadata"]["name"].endswith(f"-inject-{without}")]
    kubectl(cluster, directory, "apply", "--server-side", manifests=policies)
    try:
        made = Injection(cluster)
        wanted = set(profiles) - {without}
        eventually(lambda: all(made.is_in_force(profile) for profile in wanted), _IN_FORCE_SECONDS)
        yield made
    finally:
        kubectl(cluster, directory, "delete", manifests=policies)
    # Or whoever comes next would take these for theirs.
    eventually(lambda: not any(map(made.is_touched, profiles)), _IN_FORCE_SECONDS)
