"""Containers of a test: podman with a storage of its own, of which nothing stays.

The base image is an archive in the cache (tools/containers.py), everything else is in a folder
that is removed with the last test of this process. No container has a network, but the host's where
a test says so.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools import image
from tools.containers import base, missing

BASE = "localhost/base:1"
_IN_BASE = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SETTINGS = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
"""
_BUDGET_SECONDS = 240.0
_MACHINE = os.uname().machine


@dataclass(frozen=True)
class Containers:
    """podman, as the tests use it."""

    directory: Path

    def command(self, program: str = "podman") -> list[str]:
        """The program with the storage that is ours."""
        ours = ["--root", f"{self.directory}/storage", "--runroot", f"{self.directory}/run"]
        return [program, *ours, *(["--tmpdir", f"{self.directory}/tmp"] if program == "podman" else [])]

    def run(self, *arguments: str, check: bool = True) -> str:
        """What podman says; an assertion with all of it where it fails."""
        done = self.completed(*arguments)
        assert not check or done.returncode == 0, f"podman {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def logs(self, container: str) -> str:
        """What a container has said, on both of its streams."""
        done = self.completed("logs", container)
        return done.stdout + done.stderr

    def completed(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """podman, ended."""
        return subprocess.run(
            [*self.command(), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUDGET_SECONDS,
            env=self.environment,
            cwd=self.directory,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What podman and buildah read; and a process that starts one."""
        return {**os.environ, "CONTAINERS_CONF": f"{self.directory}/containers.conf"}

    def built(self, variant: str, tag: str = "") -> str:
        """A variant of the image on the base, built once for each tag; its name."""
        name = f"localhost/store-plugin:{tag or variant}"
        if self.completed("image", "exists", name).returncode == 0:
            return name
        given = image.arguments(variant, BASE, image.gather(variant, _MACHINE))
        try:
            image.build(self.command("buildah"), given, name, self.environment, quiet=True)
        except subprocess.CalledProcessError as error:
            pytest.fail(
                f"the image is not built:\n{error.stdout.decode()[-3000:]}{error.stderr.decode()[-3000:]}"
            )
        return name

    def described(self, image: str) -> Mapping[str, Any]:
        (found,) = json.loads(self.run("image", "inspect", image))
        return dict(found)

    def added_bytes(self, image: str) -> int:
        """How much larger an image is than its base."""
        return int(self.described(image)["Size"]) - int(self.described(BASE)["Size"])

    @contextmanager
    def started(
        self, name: str, image: str, options: Sequence[str], arguments: Sequence[str], network: str = "none"
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A container in the foreground: the process ends with it, and with its exit code. Its
        output is in `name`.log."""
        command = [*self.command(), "run", "--rm", "--network", network, "--name", name, *options, image]
        with self.log_of(name).open("wb") as log:
            process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.directory,
            )
        try:
            yield process
        finally:
            self.run("rm", "--force", "--ignore", "--time", "0", name)
            process.wait(_BUDGET_SECONDS)

    def log_of(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def clear(self) -> None:
        """Remove everything: containers, images, mounts, files."""
        self.run("pod", "rm", "--all", "--force", "--time", "0", check=False)
        self.run("rm", "--all", "--force", "--time", "0", check=False)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed([mount for mount in mounts if Path(mount).is_relative_to(self.directory)]):
            subprocess.run(["umount", mount], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def containers() -> Iterator[Containers]:
    """A storage with the base image. Skips where containers cannot be had; in CI that is an
    error."""
    if reason := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not below pytest's folder: the names of sockets in it would get too long.
    found = Containers(Path(tempfile.mkdtemp(prefix="store-plugin-")))
    (found.directory / "containers.conf").write_text(_SETTINGS)
    try:
        found.run("import", "--change", _IN_BASE, str(base()), BASE)
        yield found
    finally:
        found.clear()
