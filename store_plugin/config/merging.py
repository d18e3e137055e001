"""What the files of a directory declare, put together into one entry per name.

Here is also what a file that can no longer be told in full keeps: a slip of the pen must
not remove the configs that worked a moment ago.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from store_plugin.config.declarations import DeclaredConfig, DeclaredSecret, FileReading, Problem, SecretName


@dataclass(frozen=True, slots=True)
class NoSecret:
    """Stands for a Secret that cannot be had; `why` goes on after its name."""

    why: str


SecretData: TypeAlias = Mapping[SecretName, Mapping[str, bytes] | NoSecret]


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that a directory declares, each config and Secret once."""

    configs: tuple[DeclaredConfig, ...] = ()
    secrets: SecretData = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed and should be known."""
        return tuple(
            Problem(
                config.file,
                config.line,
                f"{config.reference} has no access rules: every caller may use every scope",
            )
            for config in self.configs
            if config.spec is not None and not config.spec.access
        )


def merge(files: Iterable[FileReading]) -> Reading:
    """One entry per config and Secret: the first, in the order of `files`; the others are
    problems. What was only carried over gives way to what is declared."""
    readings = list(files)
    configs, doubled_configs = _first_of_each(config for file in readings for config in file.configs)
    secrets, doubled_secrets = _first_of_each(secret for file in readings for secret in file.secrets)
    problems = [problem for file in readings for problem in file.problems]
    return Reading(
        tuple(configs),
        {secret.reference: secret.data for secret in secrets if secret.data is not None},
        tuple(sorted([*problems, *doubled_configs, *doubled_secrets])),
    )


def carry_over(before: FileReading, now: FileReading) -> FileReading:
    """`now`, a later reading of the same file, with what it cannot tell: all that the
    file declared before, where a document of it cannot be identified; the data that a
    Secret had before, where it is invalid now."""
    data = {secret.reference: secret.data for secret in before.secrets}
    secrets = [
        replace(secret, data=data.get(secret.reference)) if secret.data is None else secret
        for secret in now.secrets
    ]
    if now.unidentified is None:
        return replace(now, secrets=tuple(secrets))
    lost_configs = [
        replace(config, spec=None, error=str(now.unidentified))
        for config in _gone(before.configs, now.configs)
    ]
    return replace(
        now,
        configs=(*now.configs, *lost_configs),
        secrets=(*secrets, *_gone(before.secrets, now.secrets)),
    )


DeclaredT = TypeVar("DeclaredT", DeclaredConfig, DeclaredSecret)


def _gone(before: Iterable[DeclaredT], now: Iterable[DeclaredT]) -> list[DeclaredT]:
    """What was declared before and is not now, marked as carried over."""
    declared: set[Hashable] = {one.reference for one in now}
    return [replace(one, carried=True) for one in before if one.reference not in declared]


def _first_of_each(found: Iterable[DeclaredT]) -> tuple[list[DeclaredT], list[Problem]]:
    first: dict[Hashable, DeclaredT] = {}
    problems = []
    for one in found:
        kept = first.setdefault(one.reference, one)
        if kept.carried:
            first[one.reference] = one
        elif kept is not one and not one.carried:
            message = f"{one.reference} is declared at {kept.source} already; that one counts"
            problems.append(Problem(one.file, one.line, message))
    return list(first.values()), problems
