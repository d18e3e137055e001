"""Commands of a page, run as they stand there, each answering as it is shown."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.docs.pages import blocks

_STEP = re.compile(r"^\$ ((?:.*\\\n)*.*\n(?:>.*\n)*)((?:[^$].*\n|\n)*)", re.MULTILINE)
_LEAVE_NOTHING = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


def steps(page: Path) -> list[tuple[str, str]]:
    """(command, what it answers) of all console blocks, in order. A command goes on after a
    backslash, and in lines that begin with `>`."""
    found = [step for text in blocks(page, "console") for step in _STEP.findall(text)]
    return [
        (re.sub(r"^> ?", "", command, flags=re.MULTILINE).rstrip("\n"), shown) for command, shown in found
    ]


def pattern(shown: str) -> str:
    """`...` stands for anything; a line of it for any lines."""
    lines = [re.escape(line).replace(r"\.\.\.", ".*") for line in shown.rstrip("\n").splitlines()]
    return "".join("(.*\n)*?" if line == ".*" else f"{line}\n" for line in lines)


def take_walk(
    page: Path,
    directory: Path,
    environ: Mapping[str, str] | None = None,
    as_here: Callable[[str], str] = str,
    programs: Mapping[str, Path] = MappingProxyType({}),
    seconds: int = 110,
) -> None:
    """Run the commands of a page in one shell, so that what is exported stays. `as_here` puts in
    what a page cannot know, `programs` are commands that may not be on PATH."""
    walk = [(as_here(command), as_here(shown)) for command, shown in steps(page)]
    script = _LEAVE_NOTHING + "".join(_step(number, *step) for number, step in enumerate(walk))
    linked = directory / ".bin"
    linked.mkdir()
    for name, program in programs.items():
        (linked / name).symlink_to(program)
    path = f"{linked}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["timeout", str(seconds), "bash", "-e", "-c", script],  # which ends all that the shell began
        cwd=directory,
        env={"PATH": path, "HOME": str(directory), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=seconds + 10,
        check=False,
    )
    answers = re.split(r"^--end \d+\n", ended.stdout, flags=re.MULTILINE)
    for (command, shown), answer in zip(walk, answers, strict=False):
        assert re.fullmatch(pattern(shown), answer), f"$ {command}\n{answer}\n{ended.stderr[-2000:]}"
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert len(answers) == len(walk) + 1


def _step(number: int, command: str, shown: str) -> str:
    """Where an error is shown the command must fail, and what it says of that belongs to the answer."""
    fails = re.search(r"^(Error: |error  )", shown, flags=re.MULTILINE)
    run = f"if {{ {command}\n}} 2>&1; then exit 1; fi" if fails else command
    return f"{run}\necho '--end {number}'\n"
