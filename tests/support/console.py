"""What a document shows of a console: commands, and what they said."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BUDGET_SECONDS = 60.0
_STEP = re.compile(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", re.DOTALL)
_ANYTHING = "…"
"""Stands for what is another thing each time."""


@dataclass(frozen=True)
class Step:
    """A command, perhaps of several lines, and its output."""

    command: str
    output: str

    def ran(self, directory: Path, environ: Mapping[str, str]) -> str:
        """What it says now, on both of its streams, without spaces at the ends of lines."""
        done = subprocess.run(
            ["/bin/bash", "-c", self.command],
            cwd=directory,
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_BUDGET_SECONDS,
            check=False,
        )
        return "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip()

    def shows(self, said: str) -> bool:
        """Whether this is what the document shows."""
        parts = map(re.escape, self.output.strip().split(_ANYTHING))
        return re.fullmatch(".*?".join(parts), said, re.DOTALL) is not None


def steps(block: str) -> Iterator[Step]:
    """The steps of a console block: `$ ` begins a command, a backslash goes on with it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        found = _STEP.match(part)
        assert found
        yield Step(found[1].strip(), found[2].strip())
