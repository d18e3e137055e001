"""What files of manifests declare, and what is wrong with them: the words that readers of
files, the table of configs and the pages for people share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from store_plugin.model import ConfigReference
from store_plugin.spec import StoreSpec


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong and where.

    `file` is the name inside the config directory, or the directory itself where the
    whole of it is meant; in a cluster the object (`VaultConfig/prod`) or what is watched.
    `line` counts from 1, 0 stands for no line in particular.
    """

    file: str
    line: int
    message: str

    @property
    def place(self) -> str:
        """`file:line`, as an editor opens it."""
        return place_of(self.file, self.line)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def place_of(file: str, line: int) -> str:
    """`file:line`; the file alone where there is no line."""
    return f"{file}:{line}" if line else file


@dataclass(frozen=True, slots=True)
class SecretName:
    """Names a Secret, as a credential reference does."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Where something is declared."""

    file: str
    line: int
    carried: bool = False
    """Kept from before, because its file does not tell now."""

    @property
    def source(self) -> str:
        """`file:line`, or the object of the cluster."""
        return place_of(self.file, self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredConfig(Declaration):
    """A store config as a manifest declares it; without a spec where that is invalid."""

    reference: ConfigReference
    spec: StoreSpec | None
    error: str | None = None
    credential_lines: Mapping[str, int] = field(default_factory=dict)
    """Where each credential reference stands, by its path in the spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSecret(Declaration):
    """A `kind: Secret` manifest; without data where that is invalid."""

    reference: SecretName
    data: Mapping[str, bytes] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileReading:
    """What one file declares."""

    configs: tuple[DeclaredConfig, ...] = ()
    secrets: tuple[DeclaredSecret, ...] = ()
    problems: tuple[Problem, ...] = ()
    unidentified: Problem | None = None
    """Set where a document does not even tell what it declares: then nothing that the
    file declared before counts as removed."""


def broken_file(problem: Problem) -> FileReading:
    """The reading of a file of which nothing can be told."""
    return FileReading(problems=(problem,), unidentified=problem)
