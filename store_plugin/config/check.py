"""What a person wants to know of a config directory before a process uses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store_plugin.config.declarations import Problem
from store_plugin.config.manifests import Kinds
from store_plugin.config.merging import Reading
from store_plugin.config.origins import Missing, origins_of, read_origin
from store_plugin.config.reading import read_directory


@dataclass(frozen=True, slots=True)
class Check:
    """What a directory declares and all that is wrong with it, ordered by place."""

    reading: Reading
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def check_directory(directory: Path, kinds: Kinds, environ: Mapping[str, str]) -> Check:
    """Read the directory and every credential that its configs refer to. Blocking."""
    reading = read_directory(directory, kinds)
    problems = {*reading.problems, *_credential_problems(reading, environ)}
    return Check(reading, tuple(sorted(problems)), reading.warnings)


def _credential_problems(reading: Reading, environ: Mapping[str, str]) -> list[Problem]:
    problems = []
    for config in reading.configs:
        for path, origin in origins_of(config.spec).items() if config.spec is not None else ():
            try:
                read_origin(origin, environ, reading.secrets)
            except Missing as missing:
                line = config.credential_lines.get(path, config.line)
                problems.append(Problem(config.file, line, f"spec.{path}: {missing}"))
    return problems
