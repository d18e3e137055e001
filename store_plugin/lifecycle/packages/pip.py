"""pip, asked for what building needs, and its refusals in words of ours.

It never reaches for a network unless it is told to, and runs no code of the dependencies: those
come as wheels only.
"""

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from store_plugin.errors import InvalidRequest, StoreUnavailable
from store_plugin.lifecycle.packages.provided import StandIns

_SECONDS = 300.0
_MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Sources:
    """Where dependencies come from: a directory of wheels, the index that pip is configured
    with, or both; neither: only what is provided."""

    wheels: Path | None = None
    index: bool = False

    def arguments(self) -> list[str]:
        found = [] if self.index else ["--isolated", "--no-index"]
        return found + (["--find-links", str(self.wheels.resolve())] if self.wheels else [])


def wheel_of(project: Path, directory: Path, sources: Sources) -> Path:
    """Build a project's wheel into `directory`. InvalidRequest says why not."""
    isolation = [] if sources.index else ["--no-build-isolation"]
    target = directory / "wheel"
    arguments = ["wheel", "--no-deps", *isolation, "--wheel-dir", str(target), str(project.resolve())]
    _pip([*arguments, *sources.arguments()], f"{project} cannot be built")
    return next(target.glob("*.whl"))


def install(wheel: Path, target: Path, stand_ins: StandIns, sources: Sources) -> None:
    """Put a wheel and what it needs into `target`. InvalidRequest says what is missing."""
    arguments = [
        "install",
        "--target",
        str(target),
        "--only-binary",
        ":all:",
        "--no-compile",
        "--no-warn-conflicts",
    ]
    ours = ["--find-links", str(stand_ins.wheels), "--constraint", str(stand_ins.constraints)]
    _pip(
        [*arguments, *ours, *sources.arguments(), str(wheel.resolve())],
        f"what {wheel.name} needs is not there: collect it with 'pip download -d DIR ...' and pass "
        "--wheels DIR, or let pip fetch it with --from-index",
    )


def _pip(arguments: list[str], problem: str) -> None:
    if find_spec("pip") is None:
        raise InvalidRequest("building needs pip in this environment: python -m ensurepip")
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "--no-color",
        *arguments,
    ]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise StoreUnavailable(f"pip did not end within {_SECONDS:g} s") from None
    if ended.returncode != 0:
        raise InvalidRequest(f"{problem}\n{_told(ended.stdout + ended.stderr)}")


def _told(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR") or " depends on " in line]
    return "\n".join((errors or lines)[-_MOST_LINES:])
