"""The example operator as a process."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubernetes import Cluster

OPERATOR = Path(__file__).parents[2] / "examples" / "operator"


def example(name: str) -> dict[str, Any]:
    """A manifest of the example."""
    found: dict[str, Any] = yaml.safe_load((OPERATOR / name).read_text())
    return found


def operator_token(cluster: Cluster, namespace: str, *more: dict[str, Sequence[str]]) -> str:
    """Of a ServiceAccount with the example's role, these rules, and nothing else."""
    user = cluster.service_account(namespace, "database-operator")
    cluster.allow(user, [*example("rbac.yaml")["rules"], *more])
    return cluster.token(user)


@contextmanager
def running_operator(kubeconfig: dict[str, Any], directory: Path, **environ: str) -> Iterator[Path]:
    """The file that it logs into. It is ready when it is: wait for what it does."""
    (directory / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    log_file = directory / "operator.log"
    command = [sys.executable, "-m", "kopf", "run", "--all-namespaces", "--standalone"]
    command.append(str(OPERATOR / "database_operator.py"))
    known = {"KUBECONFIG": str(directory / "kubeconfig"), "PATH": "", "HOME": str(directory)}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**known, **environ}
        )
    try:
        yield log_file
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
