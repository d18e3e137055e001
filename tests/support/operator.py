"""The example operator as a process."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubernetes import Cluster
from tests.support.processes import running_program

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
def running_operator(
    kubeconfig: dict[str, Any],
    directory: Path,
    program: Path = OPERATOR / "database_operator.py",
    **environ: str,
) -> Iterator[Path]:
    """The file that it logs into. It is ready when it is: wait for what it does."""
    (directory / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    log_file = directory / "operator.log"
    command = [sys.executable, "-m", "kopf", "run", "--all-namespaces", "--standalone", str(program)]
    known = {"KUBECONFIG": str(directory / "kubeconfig"), "PATH": "", "HOME": str(directory)}
    with running_program(command, log_file, {**known, **environ}):
        yield log_file
