"""Policies as a person has to write them: paths, what they must allow, and the HCL that does."""

from collections.abc import Mapping

from stores.vault.http.answer import Answer

Rights = Mapping[str, frozenset[str]]
"""Capabilities by path."""

_EVERYTHING = frozenset({"root"})


def given_by(answer: Answer) -> Rights:
    """What sys/capabilities-self answered. The root policy allows everything: `root`."""
    data = answer.json().get("data") or {}
    return {
        str(path): frozenset(map(str, rights)) for path, rights in data.items() if isinstance(rights, list)
    }


def missing(needed: Rights, given: Rights) -> Rights:
    """What of `needed` is not `given`, without the paths where nothing is missing."""
    lacking = {path: rights - given.get(path, frozenset()) for path, rights in needed.items()}
    return {path: rights for path, rights in lacking.items() if rights and not is_root(given, path)}


def is_root(given: Rights, path: str) -> bool:
    """Whether the token has the root policy, which the server says of every path."""
    return given.get(path) == _EVERYTHING


def shown(rights: Rights) -> str:
    """`create, read on kv/data/x`, for each path."""
    return " and ".join(f"{', '.join(sorted(allowed))} on {path}" for path, allowed in rights.items())


def stanzas(rights: Rights) -> str:
    """The lines of HCL that give `rights`, one after another on one line, which HCL allows."""
    return " ".join(map(_stanza, rights, rights.values()))


def _stanza(path: str, rights: frozenset[str]) -> str:
    quoted = ", ".join(f'"{right}"' for right in sorted(rights))
    return f'path "{path}" {{ capabilities = [{quoted}] }}'
