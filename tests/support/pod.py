"""A sidecar as it is in a Pod: without a kubeconfig, with what the kubelet gives to containers.

That is a directory with the ServiceAccount's token and the API server's CA at a place under
/var/run, and the API server's address in the environment. A test has no right to that place,
so the program is started by a few lines that look for the directory elsewhere.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.support.kubernetes import Cluster
from tests.support.sidecar import SidecarProcess, started_sidecar, wait_ready

_ROLE = Path(__file__).parents[2] / "deploy" / "rbac" / "sidecar.yaml"
_PROGRAM = """\
import datetime, sys, time, types
from pathlib import Path
mounted, ahead, clock = Path(sys.argv.pop(1)), float(sys.argv.pop(1)), time.time
if ahead:
    class Wrong(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + datetime.timedelta(seconds=ahead)
    datetime.datetime = Wrong
    from grpc._cython import cygrpc
    # gRPC takes a deadline by the clock of its own core, which is right, and subtracts this one.
    cygrpc.time = types.SimpleNamespace(**vars(time))
    time.time = lambda: clock() + ahead
from kubernetes.aio.config import incluster_config
import stores.vault
from store_plugin.cli import main
from store_plugin.sidecar.status import running
incluster_config.SERVICE_TOKEN_FILENAME = str(mounted / "token")
incluster_config.SERVICE_CERT_FILENAME = str(mounted / "ca.crt")
running._OWN_NAMESPACE = mounted / "namespace"
stores.vault.factory = stores.vault.VaultFactory(mounted / "token")
main()
"""


def sidecar_account(cluster: Cluster, namespace: str, credentials: str) -> str:
    """The user name of a new ServiceAccount with the rules of deploy/rbac/sidecar.yaml; the
    Secrets that they name are in the namespace `credentials`."""
    user = cluster.service_account(namespace)
    configs, secrets = (one["rules"] for one in yaml.safe_load_all(_ROLE.read_text()) if "rules" in one)
    cluster.allow(user, configs)
    cluster.allow(user, secrets, credentials)
    return user


@contextmanager
def sidecar_in_pod(
    cluster: Cluster,
    user: str,
    directory: Path,
    *arguments: str,
    listen: Sequence[str] | None = None,
    clock_ahead: float = 0.0,
) -> Iterator[SidecarProcess]:
    """`store-plugin serve` under a ServiceAccount, ready. `clock_ahead`: by how many seconds its
    clock is wrong."""
    program, environ = _program(cluster, user, directory, clock_ahead), environment_in_pod(cluster)
    with started_sidecar(directory, *arguments, listen=listen, environ=environ, program=program) as sidecar:
        wait_ready(sidecar)
        yield sidecar


def command_in_pod(
    cluster: Cluster, user: str, directory: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """What `kubectl exec` would show of `store-plugin ARGUMENTS`."""
    command = [*_program(cluster, user, directory), *arguments]
    environ = {**os.environ, **environment_in_pod(cluster)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def mount_service_account(cluster: Cluster, user: str, mounted: Path) -> None:
    """Write what the kubelet puts into a container, with a token of its own."""
    mounted.mkdir(exist_ok=True)
    (mounted / "token").write_text(cluster.token(user))
    (mounted / "ca.crt").write_bytes(cluster.ca)
    (mounted / "namespace").write_text(user.split(":")[2])


def environment_in_pod(cluster: Cluster) -> dict[str, str]:
    """Where containers find the API server."""
    address = urlsplit(cluster.address)
    return {"KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port)}


def _program(cluster: Cluster, user: str, directory: Path, clock_ahead: float = 0.0) -> list[str]:
    """`store-plugin`, for which a directory is what the kubelet mounts for a ServiceAccount."""
    mounted = directory / "serviceaccount"
    mount_service_account(cluster, user, mounted)
    return [sys.executable, "-c", _PROGRAM, str(mounted), str(clock_ahead)]
