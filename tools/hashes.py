"""Renew requirements/: what each variant of the image installs, with the digest of every file.

Run by `make lock`, after constraints.txt, which says the versions. The digests are those of the
wheels for each architecture that images are built for, as the package index names them; the
files hold no address. A build takes nothing else: pip refuses a wheel of another digest.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
PYTHON_VERSION = "3.11"
"""Of the base that Dockerfile names."""
MACHINES = ("x86_64", "aarch64")
VARIANTS: Mapping[str, str] = {
    "all": "all",
    "aws": "sidecar,kubernetes,aws",
    "vault": "sidecar,kubernetes,vault",
}
"""The extras of each variant. A new one is a row here."""
_HEADER = """\
# What the image's variant '{variant}' installs beside store-plugin: the versions of
# constraints.txt with their digests for {machines}. Renew with: make lock
"""


def platform_options(machine: str) -> list[str]:
    """Arguments for pip: wheels that run on this machine with the glibc of the base."""
    tags = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
    named = [argument for tag in tags for argument in ("--platform", f"{tag}_{machine}")]
    return [*named, "--python-version", PYTHON_VERSION, "--implementation", "cp", "--only-binary=:all:"]


def resolved(variant: str, machine: str) -> list[Mapping[str, Any]]:
    """What pip would install, as its report has it. Nothing is installed."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", str(report)]
        pip += ["--disable-pip-version-check", "--ignore-installed", "--target", directory]
        pip += ["--constraint", "constraints.txt", *platform_options(machine)]
        subprocess.run([*pip, f".[{VARIANTS[variant]}]"], check=True, cwd=ROOT)
        installed: list[Mapping[str, Any]] = json.loads(report.read_text())["install"]
    # All but the project itself, which comes from a folder.
    return [one for one in installed if "archive_info" in one["download_info"]]


def locked(variant: str) -> str:
    """The text of a variant's file."""
    digests: dict[str, set[str]] = defaultdict(set)
    for machine in MACHINES:
        for one in resolved(variant, machine):
            pin = f"{one['metadata']['name'].lower()}=={one['metadata']['version']}"
            digests[pin].add(one["download_info"]["archive_info"]["hashes"]["sha256"])
    header = _HEADER.format(variant=variant, machines=" and ".join(MACHINES))
    return header + "".join(_entry(pin, sorted(digests[pin])) for pin in sorted(digests))


def _entry(pin: str, digests: Sequence[str]) -> str:
    return " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in digests)]) + "\n"


def main() -> None:
    """Write the files anew."""
    REQUIREMENTS.mkdir(exist_ok=True)
    for variant in VARIANTS:
        (REQUIREMENTS / f"{variant}.txt").write_text(locked(variant))
    print(f"{REQUIREMENTS.name}/ is renewed; review it, then: make image")


if __name__ == "__main__":
    main()
