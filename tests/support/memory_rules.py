"""Nodes whose kernel makes memory files that may not be executed (the sysctl vm.memfd_noexec)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_RULE = Path("/proc/sys/vm/memfd_noexec")
_SET = f'echo "$0" > {_RULE} && exec "$@"'


def run_under(memfd_noexec: int, program: str, *arguments: str) -> str:
    """What a Python program says on such a node, which is a PID namespace of its own."""
    if not _RULE.exists() or int(_RULE.read_text()) > memfd_noexec:
        pytest.skip(f"this kernel knows no vm.memfd_noexec, or it is above {memfd_noexec} here")
    ended = _run(memfd_noexec, sys.executable, "-c", program, *arguments)
    if ended.returncode and _run(memfd_noexec, "true").returncode:
        missing = "vm.memfd_noexec cannot be set here: allow user namespaces, or run the tests as root"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _run(memfd_noexec: int, *command: str) -> "subprocess.CompletedProcess[str]":
    namespace = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    return subprocess.run(
        [*namespace, "sh", "-c", _SET, str(memfd_noexec), *command],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
