"""The real sidecar as a process: started, waited for, stopped by pid."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from tests.support.ports import free_port

READY_WITHIN = 60.0
STOPPED_WITHIN = 30.0
PROGRAM = str(Path(sys.executable).with_name("store-plugin"))


@dataclass
class SidecarProcess:
    """A sidecar that serves; `endpoint` is its first listener."""

    process: subprocess.Popen[bytes]
    endpoint: str
    admin: str
    log_file: Path
    arguments: Sequence[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def http(self, path: str) -> str:
        """Body of an admin page, whatever its status."""
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=30) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        try:
            return self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextmanager
def running_sidecar(
    config_dir: Path,
    *arguments: str,
    listen: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[SidecarProcess]:
    """`store-plugin serve` on an abstract socket of its own, ready."""
    configs = ["--config-dir", str(config_dir)]
    with started_sidecar(config_dir.parent, *configs, *arguments, listen=listen, environ=environ) as sidecar:
        wait_ready(sidecar)
        yield sidecar


@contextmanager
def started_sidecar(
    directory: Path,
    *arguments: str,
    listen: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    program: Sequence[str] = (PROGRAM,),
) -> Iterator[SidecarProcess]:
    """The same without a wait until it is ready; its log goes into `directory`."""
    endpoints = listen or [f"unix:///@store-plugin-test/{uuid4().hex}"]
    admin = f"127.0.0.1:{free_port()}"
    log_file = directory / f"sidecar-{uuid4().hex[:8]}.log"
    command = [*program, "serve", "--admin-listen", admin, *arguments]
    for endpoint in endpoints:
        command += ["--listen", endpoint]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(environ or {})}
        )
    sidecar = SidecarProcess(process, endpoints[0], admin, log_file, command)
    try:
        yield sidecar
    finally:
        sidecar.stop()


def wait_ready(sidecar: SidecarProcess) -> None:
    give_up = time.monotonic() + READY_WITHIN
    while time.monotonic() < give_up:
        if sidecar.process.poll() is not None:
            raise AssertionError(f"the sidecar ended with {sidecar.process.returncode}:\n{sidecar.log}")
        try:
            if sidecar.http("/readyz").startswith("ok"):
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"the sidecar was not ready within {READY_WITHIN} s:\n{sidecar.log}")
