"""Names of fields that may be shown to a person, though nobody knows them.

A secret that was pasted in a field's place must appear nowhere. Tokens and keys have digits in them or
are long; a name that is made of letters, as fields are, is of more use than its line alone.
"""

import re
from collections.abc import Collection, Sequence

HIDDEN = "…"
_LIKE_A_FIELD = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}", re.ASCII)


def is_like_a_field(name: str) -> bool:
    """Whether it can be one, and hardly a secret."""
    return _LIKE_A_FIELD.fullmatch(name) is not None


def shown(path: Sequence[str | int], known: Collection[str]) -> str:
    """A path as `providers[0].name`, with nothing in it that is not among `known`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part if part in known else HIDDEN}"
    return text.removeprefix(".")


def told(path: Sequence[str | int]) -> str:
    """The same with all in it that is like a field."""
    return shown(path, {part for part in path if isinstance(part, str) and is_like_a_field(part)})


def unknown_field(name: str, block: str, hint: str) -> str:
    """That `block`, empty for the document itself, has no field of this name, and what to do."""
    if is_like_a_field(name):
        return f"{block}.{name}: there is no such field; {hint}".removeprefix(".")
    return about(block, f"there is no such field as on this line; {hint}")


def about(block: str, problem: str) -> str:
    """The problem of a block; the document itself has no name."""
    return f"{block}: {problem}" if block else problem
