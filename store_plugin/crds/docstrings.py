"""Docstrings of fields, which become the descriptions that `kubectl explain` shows.

Python drops the text below an assignment; it is read from the source here, when a CRD is
made, so that importing a model costs nothing more.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping


def class_docstring(cls: type) -> str:
    """The docstring of a class, on one line per paragraph."""
    return _unwrapped(inspect.cleandoc(cls.__doc__ or ""))


def field_docstrings(cls: type) -> Mapping[str, str]:
    """By field, those of the class and its bases; nothing where there is no source."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] not in ("builtins", "pydantic"):
            found |= _own_docstrings(base)
    return found


def _own_docstrings(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # no file, or made without one
        return {}
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                found[name] = _unwrapped(inspect.cleandoc(written))
    return found


def _unwrapped(text: str) -> str:
    """Lines that were only broken to fit the source, joined."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)
