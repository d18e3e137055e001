"""What a person wants to know of store configs before a process uses them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from store_plugin.config.credentials.origins import Missing, origins_of, read_origin
from store_plugin.config.declarations import DeclaredConfig, Problem
from store_plugin.config.kinds import Kinds, awaited, may_come
from store_plugin.config.merging import Reading
from store_plugin.config.reading import read_directory
from store_plugin.model import ConfigReference


@dataclass(frozen=True, slots=True)
class Check:
    """What a directory or a cluster declares and all that is wrong with it, ordered by place."""

    reading: Reading
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    without_credentials: frozenset[ConfigReference] = frozenset()
    """The configs that a problem says a credential is missing of."""


def check_directory(directory: Path, kinds: Kinds, environ: Mapping[str, str]) -> Check:
    """Read the directory and every credential that its configs refer to. Blocking."""
    return check_reading(read_directory(directory, kinds), kinds, environ)


def check_reading(reading: Reading, kinds: Kinds, environ: Mapping[str, str]) -> Check:
    """Read every credential that the configs refer to. Blocking."""
    missing = {config.reference: tuple(_missing(config, reading, environ)) for config in reading.configs}
    problems = {*reading.problems, *(problem for found in missing.values() for problem in found)}
    without = frozenset(reference for reference, found in missing.items() if found)
    waiting = frozenset(_awaited(reading, kinds))
    warnings = (*reading.warnings, *(_unchecked(problem) for problem in waiting))
    return Check(reading, tuple(sorted(problems - waiting)), tuple(sorted(warnings)), without)


def _awaited(reading: Reading, kinds: Kinds) -> Iterator[Problem]:
    """Problems that are none of the author's: a plugin may bring the kind, and none has here."""
    told = {
        (config.file, f"kind: {awaited(config.reference.kind)}")
        for config in reading.configs
        if may_come(kinds, config.reference.api_version, config.reference.kind)
    }
    return (problem for problem in reading.problems if (problem.file, problem.message) in told)


def _unchecked(problem: Problem) -> Problem:
    return replace(
        problem,
        message="kind: of a plugin that is not known here, so spec was not checked; name the sidecar that it "
        "connects to (--control-socket), or a file with what it says of itself (--plugin)",
    )


def _missing(config: DeclaredConfig, reading: Reading, environ: Mapping[str, str]) -> Iterator[Problem]:
    for path, origin in origins_of(config.spec).items() if config.spec is not None else ():
        try:
            read_origin(origin, environ, reading.secrets)
        except Missing as missing:
            line = config.credential_lines.get(path, config.line)
            yield Problem(config.file, line, f"spec.{path}: {_with_advice(str(missing))}")


def _with_advice(missing: str) -> str:
    return missing if ";" in missing else f"{missing}; provide it, or name another source"
