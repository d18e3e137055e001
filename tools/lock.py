"""Renew constraints.txt: what pip finds today for everything that pyproject.toml asks for.

Run by `make lock`. It installs into a virtual environment of its own, which is removed
again. grpcio and its companions keep their version: docs/decisions/0002 tells why.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
HEADER = "# Every tool and library, pinned: make venv installs with these. Renew with: make lock\n"
PROJECT = "store-plugin"
GRPC = "1.78.2"
KEPT = ("grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status")
GROUPS = ("test", "check", "generate")
BUILD = ("pip", "hatchling", "setuptools")
"""What installs the project: pinned as well, though nothing here depends on it. A library
does on setuptools, of which a new virtual environment may bring an old version."""


def install(python: Path, kept: Path) -> None:
    """Everything into the environment of `python`, the newest that fits."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--upgrade", *BUILD], check=True, cwd=ROOT)
    groups = [argument for group in GROUPS for argument in ("--group", group)]
    # Not editable, and built here: nothing of the checkout is touched.
    subprocess.run([*pip, "--constraint", str(kept), ".[all,testing]", *groups], check=True, cwd=ROOT)


def installed(python: Path) -> list[str]:
    """`NAME==VERSION` of all that is installed, as requirements without any address."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    pins = (f"{package['name']}=={package['version']}" for package in found if package["name"] != PROJECT)
    return sorted(pins, key=str.lower)


def main() -> None:
    """Write constraints.txt anew."""
    with tempfile.TemporaryDirectory() as directory:
        kept = Path(directory) / "kept.txt"
        kept.write_text("".join(f"{name}=={GRPC}\n" for name in KEPT))
        subprocess.run([sys.executable, "-m", "venv", f"{directory}/venv"], check=True)
        python = Path(directory) / "venv" / "bin" / "python"
        install(python, kept)
        CONSTRAINTS.write_text(HEADER + "".join(f"{pin}\n" for pin in installed(python)))
    print(f"{CONSTRAINTS.name} is renewed; review it, then: make venv test check")


if __name__ == "__main__":
    main()
