"""`{scope}` in a config: the first segment of the scoped name takes its place, so that each
tenant has a place and a role of its own."""

from store_plugin.errors import InvalidRequest
from store_plugin.model import ScopedName

PLACEHOLDER = "{scope}"


def checked_template(text: str) -> str:
    """`text`, where `{scope}` is all that it has of braces. ValueError otherwise."""
    if set(text.replace(PLACEHOLDER, "")) & {"{", "}"}:
        raise ValueError(f"{PLACEHOLDER} is the only thing that can stand in braces here")
    return text


def has_scope(template: str) -> bool:
    """Whether what it says depends on the scope."""
    return PLACEHOLDER in template


def filled(template: str, scope: str) -> str:
    """`template` for one scope."""
    return template.replace(PLACEHOLDER, scope)


def scope_of(name: ScopedName) -> str:
    """What `{scope}` stands for. InvalidRequest for a name without a scope."""
    if len(name.segments) < 2:
        raise InvalidRequest(
            f"secret {name} has no scope, and this config keeps a place for each: write it as scope/name"
        )
    return name.segments[0]


def scope_in(folder: str) -> str:
    """What `{scope}` stands for below a scope (`a/b`). InvalidRequest where it is empty."""
    if not folder:
        raise InvalidRequest(
            "this config keeps a place for each scope, and lists one at a time: name a scope"
        )
    return folder.partition("/")[0]
