"""A directory on loopback: a process with an LDAP server in it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.processes import end

USER, PASSWORD, GROUP = "crossplane", "correct horse", "operators"


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """The address of a server that ends with the block; its log is in `directory`."""
    port, log = free_port(), directory / "ldap.log"
    command = [sys.executable, "-m", "tests.support.ldap_server", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
    try:
        # Its end ends the output too.
        if not process.stdout or process.stdout.readline() != b"ready\n":
            raise AssertionError(f"the LDAP server did not become ready:\n{log.read_text()[-4000:]}")
        yield f"ldap://127.0.0.1:{port}"
    finally:
        end(process)
        if process.stdout:
            process.stdout.close()
