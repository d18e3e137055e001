"""A kubeconfig that is kept as a secret, read as values and nothing else.

It is data, and not a file of the person who runs this: a command in it would be run, and a path in
it be read or sent away, by whoever may write the secret. The library's own loader takes all of it.
No message shows a value.
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from store_plugin.errors import ConfigInvalid

if TYPE_CHECKING:
    from yaml.events import Event

MOST_DEEP = 32
"""Levels; a kubeconfig has seven."""
_TELLABLE = {
    "as", "as-groups", "as-uid", "as-user-extra", "auth-provider", "certificate-authority",
    "client-certificate", "client-key", "disable-compression", "exec", "extensions",
    "insecure-skip-tls-verify", "password", "proxy-url", "tokenFile", "username",
}  # fmt: skip
"""Fields that kubeconfigs have, and not all take; any other name may be a value at a wrong place."""


@dataclass(frozen=True, slots=True)
class Block:
    """One cluster or user."""

    kind: str
    fields: Mapping[str, Any] = field(repr=False)

    def only(self, known: Set[str]) -> Self:
        """Itself; ConfigInvalid where it has any other field."""
        if unknown := set(map(str, self.fields)) - known:
            told = ", ".join(sorted(unknown & _TELLABLE)) or "fields that are not known"
            taken = ", ".join(sorted(known))
            raise ConfigInvalid(
                f"the {self.kind} in the kubeconfig has {told}; only these are taken: {taken}"
            )
        return self

    def text(self, name: str) -> str:
        """A field; empty where it is left out. ConfigInvalid."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise ConfigInvalid(f"{name} in the kubeconfig is no text")
        return value or ""

    def data(self, name: str) -> bytes:
        """A field that is written in base64. ConfigInvalid."""
        try:
            return b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError):
            raise ConfigInvalid(f"{name} in the kubeconfig is not base64") from None


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """Clusters, users and the contexts that put them together."""

    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """From JSON or YAML. Blocking, for as long as its size asks for. ConfigInvalid."""
        document, problem = _from_json(text), ""
        if document is None:
            document, problem = _from_yaml(text)
        if not isinstance(document, Mapping):
            raise ConfigInvalid(f"the kubeconfig is no block with clusters, users and contexts{problem}")
        return cls(document)

    def chosen(self, context: str | None) -> tuple[Block, Block]:
        """Cluster and user of a context; None: of the current one. ConfigInvalid."""
        chosen = self._named("context", context or self.document.get("current-context")).fields
        return self._named("cluster", chosen.get("cluster")), self._named("user", chosen.get("user"))

    def _named(self, kind: str, name: object) -> Block:
        entries = self.document.get(f"{kind}s")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping) and name is not None and entry.get("name") == name:
                found = entry.get(kind)
                if isinstance(found, Mapping):
                    return Block(kind, found)
        raise ConfigInvalid(f"the kubeconfig has no {kind} of the name that is asked for")


def _from_json(text: bytes) -> object:
    """First, for it costs nothing to import."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _from_yaml(text: bytes) -> tuple[object, str]:
    """What it says, or why that cannot be told: YAML's errors show what they were given."""
    try:
        import yaml
    except ImportError:
        raise ConfigInvalid(
            "a kubeconfig in YAML needs the extra 'cli': pip install 'store-plugin[cli]', or keep it as JSON"
        ) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a build without libyaml is slower
    try:
        # Whoever writes the secret could have a few lines stand for more than memory holds.
        for event in _bounded(yaml.parse(text, Loader=loader)):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigInvalid("the kubeconfig has an alias (*): write out what it stands for")
        return yaml.load(text, Loader=loader), ""  # noqa: S506 # a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return None, f" ({type(error).__name__})"


def _bounded(events: "Iterable[Event]") -> "Iterator[Event]":
    """The events as they are parsed, no further than they are nested as a kubeconfig is: what each
    level costs a parser of YAML grows with their number."""
    from yaml.events import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MOST_DEEP:
            raise ConfigInvalid(f"the kubeconfig is nested deeper than {MOST_DEEP} levels")
        yield event
