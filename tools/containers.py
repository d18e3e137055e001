"""What the container tests need: the programs, and a base image, made once into the cache.

Run by `make e2e-tools`, and by `make test` where it can be. Container images come from
registries, which a test machine may not reach; Debian's archive it does. So the base is a small
Debian with Python, made by debootstrap, as an archive in the folder of the other tools
(docs/decisions/0043). It has to be root, on Debian: everybody else is told what is skipped.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.build import Unavailable, cache, say

PROGRAMS = ("podman", "buildah", "runc", "netavark", "catatonit", "conmon", "debootstrap")
"""Debian's packages, which the tests use by what they are called."""
SUITE = "bookworm"
"""Its Python is the one that requirements/ is locked for, 3.11."""
INCLUDED = "python3,python3-venv"
_LEFT_OUT = ("./var/cache/apt/archives", "./var/lib/apt/lists", "./usr/share/doc", "./usr/share/man")
_BUDGET_SECONDS = 900.0
_USED = ("podman", "buildah", "runc", "conmon")


def base() -> Path:
    """The archive of the base image, once made."""
    return cache() / "images" / f"debian-{SUITE}-python-v1.tar"


def missing() -> str | None:
    """What keeps the container tests from running, and what to do; None: nothing."""
    if os.geteuid() != 0:
        return "only root can run the container tests: sudo make e2e-tools e2e"
    if absent := [name for name in _USED if shutil.which(name) is None]:
        return f"{', '.join(absent)} not found: make e2e-tools installs what is missing, on Debian"
    if not base().exists():
        return "the base image is not made: make e2e-tools"
    return None


def install() -> None:
    """Install the programs that are missing. Raises Unavailable."""
    absent = [name for name in PROGRAMS if not _installed(name)]
    if not absent:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable(f"{', '.join(absent)} must be installed, by root on Debian: {missing()}")
    say(f"apt-get installs {', '.join(absent)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = ["apt-get", "update", "--quiet=2"]
    # A list of packages that is older than its archive is worth a try.
    subprocess.run(update, check=False, env=environment, timeout=_BUDGET_SECONDS, stdout=subprocess.DEVNULL)
    command = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *absent]
    _run(command, f"install {', '.join(absent)} yourself", environment)


def _installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return shutil.which(package) is not None
    command = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "installed"


def make_base() -> None:
    """Make the base's archive, which appears complete or not at all. Raises Unavailable."""
    if base().exists():
        return
    say(f"making a base image of Debian {SUITE}: one to three minutes")
    base().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base().parent, prefix=".making-") as directory:
        root, archive = f"{directory}/root", f"{directory}/base.tar"
        command = ["debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, root]
        _run([*command, *_mirror()], "debootstrap's lines say why; it needs a mirror of Debian")
        left_out = [f"--exclude={path}" for path in _LEFT_OUT]
        _run(["tar", "--numeric-owner", *left_out, "-C", root, "-cf", archive, "."], "is the disk full?")
        Path(archive).replace(base())
    say(f"the base image is made: {base()}")


def _mirror() -> list[str]:
    """The mirror that this machine's own apt takes this suite from, if it does."""
    wanted = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", f"Codename: {SUITE}"]
    known = subprocess.run(wanted, capture_output=True, text=True, check=False).stdout.split()
    return known[:1]


def _run(command: list[str], advice: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_BUDGET_SECONDS,
        env=environment,
    )
    if done.returncode != 0:
        say("\n".join(done.stdout.splitlines()[-20:]))
        raise Unavailable(f"{command[0]} failed: {advice}")


def main() -> None:
    """Install and make; or only say what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--optional",
        action="store_true",
        help="install nothing, make the base where that is possible, warn of the rest; unless CI=true",
    )
    optional = parser.parse_args().optional and os.environ.get("CI") != "true"
    try:
        if not optional:
            install()
        if not optional or (os.geteuid() == 0 and all(map(shutil.which, (*_USED, "debootstrap")))):
            make_base()
    except (Unavailable, subprocess.TimeoutExpired) as error:
        if not optional:
            sys.exit(f"tools: {error}")
    if reason := missing():
        say(f"{reason}. TESTS OF CONTAINERS ARE SKIPPED")


if __name__ == "__main__":
    main()
