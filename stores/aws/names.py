"""Scoped names as the names of one config's secrets in AWS, and back."""

from collections.abc import Callable
from dataclasses import dataclass

from store_plugin.errors import InvalidRequest, NameNotSupported
from store_plugin.model import ScopedName


@dataclass(frozen=True, slots=True)
class Names:
    """`prefix` ends with a slash or is empty. `problem` tells why AWS would refuse a name."""

    prefix: str
    problem: Callable[[str], str | None]

    def full(self, name: ScopedName) -> str:
        """The name in AWS. NameNotSupported where AWS has no such names."""
        full = f"{self.prefix}{name}"
        if wrong := self.problem(full):
            raise NameNotSupported(f"secret {name}: {wrong}")
        return full

    def folder(self, scope: str) -> str:
        """What the names of all secrets below a scope begin with."""
        return f"{self.prefix}{scope}/" if scope else self.prefix

    def parsed(self, full: str, scope: str) -> list[ScopedName]:
        """The scoped name of what lies below a scope; none where it is not there or has none."""
        if not full.startswith(self.folder(scope)):
            return []
        try:
            return [ScopedName.parse(full.removeprefix(self.prefix))]
        except InvalidRequest:
            return []
