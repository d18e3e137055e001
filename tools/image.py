"""Build the image: wheels brought together and checked, then Dockerfile, with any engine.

Run by `make image`. The wheels of `build/wheels` are the project's own, made here, and what the
variant's file below requirements/ names; pip takes no other than those digests. The build needs
no network after that. The engine is docker, podman or buildah, whichever is there.
"""

import argparse
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.hashes import MACHINES, REQUIREMENTS, ROOT, VARIANTS, platform_options

WHEELS = ROOT / "build" / "wheels"
ENGINES = ("docker", "podman", "buildah")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""How images name these machines."""


def gather(variant: str, machine: str) -> Path:
    """The project's wheel and the variant's in WHEELS, all of them whole; the project's."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    with _alone():
        _download(variant, machine)
        with tempfile.TemporaryDirectory(dir=WHEELS.parent) as directory:
            build = [
                sys.executable,
                "-m",
                "hatchling",
                "build",
                "--target",
                "wheel",
                "--directory",
                directory,
            ]
            subprocess.run(build, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
            (made,) = Path(directory).glob("*.whl")
            for older in WHEELS.glob("store_plugin-*.whl"):
                if older.name != made.name:
                    older.unlink()
            return made.replace(WHEELS / made.name)


def _download(variant: str, machine: str) -> None:
    """The locked wheels into WHEELS. Where they are there already, their digests are looked at
    and nobody is asked."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--require-hashes", "--requirement", str(REQUIREMENTS / f"{variant}.txt")]
    pip += [*platform_options(machine), "--dest", str(WHEELS)]
    there = ["--no-index", "--find-links", str(WHEELS)]
    if subprocess.run([*pip, *there], capture_output=True, check=False).returncode != 0:
        subprocess.run(pip, check=True)


@contextmanager
def _alone() -> Iterator[None]:
    with (WHEELS.parent / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def arguments(variant: str, base: str | None, wheel: Path) -> list[str]:
    """What Dockerfile wants to know."""
    version = wheel.name.split("-")[1]
    given = {"VARIANT": variant, "VERSION": version, "REVISION": _revision()}
    if base:
        given["BASE"] = base
    return [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]


def _revision() -> str:
    """The commit, with a plus where the checkout differs from it."""
    if (git := shutil.which("git")) is None:
        return "unknown"
    describe = [git, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    described = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def engine() -> str:
    """The first one that is installed. Exits where there is none."""
    for name in ENGINES:
        if found := shutil.which(name):
            return found
    sys.exit(f"image: no container engine is installed; one of {', '.join(ENGINES)} is needed")


def build(
    command: Sequence[str],
    given: Sequence[str],
    tag: str,
    environment: Mapping[str, str],
    *,
    quiet: bool = False,
) -> None:
    """Run an engine, with options of its own, on the checkout."""
    name = Path(command[0]).name
    verb = "bud" if name == "buildah" else "build"
    # Every file of the image and the image itself are of the beginning of time: the same
    # wheels on the same base are the same image. docker wants to hear it by the environment.
    same = [] if name == "docker" else ["--timestamp", "0"]
    subprocess.run(
        [*command, verb, "--network", "none", *same, *given, "--tag", tag, "."],
        check=True,
        cwd=ROOT,
        env={**environment, "SOURCE_DATE_EPOCH": "0"},
        capture_output=quiet,
    )


def main() -> None:
    """Build what was asked for."""
    here = platform.machine()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--variant", choices=list(VARIANTS), default="all", help="what is in it (%(default)s)"
    )
    parser.add_argument("--base", help="image to build on; left out: the one in Dockerfile")
    parser.add_argument("--tag", help="name of the image; left out: store-plugin:VERSION-VARIANT")
    parser.add_argument("--engine", help=f"left out: the first there is of {', '.join(ENGINES)}")
    parser.add_argument("--machine", choices=MACHINES, default=here, help="what it runs on (%(default)s)")
    parser.add_argument("--wheels-only", action="store_true", help="gather the wheels, and build elsewhere")
    given = parser.parse_args()
    wheel = gather(given.variant, given.machine)
    if given.wheels_only:
        print(f"image: {WHEELS.relative_to(ROOT)} has all wheels of {given.variant} for {given.machine}")
        return
    tag = given.tag or f"store-plugin:{wheel.name.split('-')[1]}-{given.variant}"
    words = arguments(given.variant, given.base, wheel)
    if given.machine != here:
        words += ["--platform", f"linux/{ARCHITECTURES[given.machine]}"]
    build([given.engine or engine()], words, tag, os.environ)
    print(f"image: {tag} is built")


if __name__ == "__main__":
    main()
