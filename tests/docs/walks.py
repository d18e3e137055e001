"""Commands of a page, run as they stand there, each answering as it is shown."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.docs.pages import blocks


def steps(page: Path) -> list[tuple[str, str]]:
    """(command, what it answers) of all console blocks, in order."""
    shown = [re.split(r"^\$ ", text, flags=re.MULTILINE) for text in blocks(page, "console")]
    return [
        (command, answer) for parts in shown for command, _, answer in (p.partition("\n") for p in parts if p)
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
) -> None:
    """Run the commands of a page in one shell, so that what is exported stays. `as_here` puts in
    what a page cannot know, `programs` are commands that may not be on PATH."""
    walk = [(as_here(command), as_here(shown)) for command, shown in steps(page)]
    script = "".join(f"{command}\necho '--end {number}'\n" for number, (command, _) in enumerate(walk))
    linked = directory / ".bin"
    linked.mkdir()
    for name, program in programs.items():
        (linked / name).symlink_to(program)
    path = f"{linked}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=directory,
        env={"PATH": path, "HOME": str(directory), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    answers = re.split(r"^--end \d+\n", ended.stdout, flags=re.MULTILINE)
    for (command, shown), answer in zip(walk, answers, strict=False):
        assert re.fullmatch(pattern(shown), answer), f"$ {command}\n{answer}\n{ended.stderr[-2000:]}"
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert len(answers) == len(walk) + 1
