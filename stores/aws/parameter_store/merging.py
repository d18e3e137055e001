"""Putting together what several writers made of one document without knowing of each other."""

from collections.abc import Sequence

from store_plugin.errors import DocumentInvalid
from stores import _document as document


def merged(base: str | None, versions: Sequence[str], of: str) -> str:
    """`base` (None: nothing) with what each of the versions changed in it, one after another.

    Of two changes to a key the later one counts. A key that one version lacks and a later
    one has is there: a writer that had not seen it yet must not remove it. Where one of
    them is no document of ours, the last one as it is.
    """
    try:
        before = document.EMPTY if base is None else document.decode(base, of)
        found = [document.decode(text, of) for text in versions]
    except DocumentInvalid:
        return versions[-1]
    values, texts = dict(before.values), dict(before.texts)
    for version in found:
        for key in before.values.keys() - version.values.keys():
            values.pop(key, None)
        for key, value in version.values.items():
            if key not in values or before.values.get(key) != value:
                values[key], texts[key] = value, version.texts[key]
    return document.encode(values, document.Document(values, texts))


def same(one: str, other: str, of: str) -> bool:
    """Whether two documents hold the same values; texts that are none differ unless equal."""
    if one == other:
        return True
    try:
        return document.decode(one, of).values == document.decode(other, of).values
    except DocumentInvalid:
        return False
