"""Putting together what several writers made of one document without knowing of each other."""

from collections.abc import Sequence

from store_plugin.errors import DocumentInvalid
from stores import _document as document


def merged(base: str | None, theirs: Sequence[str], of: str) -> str:
    """`base` (None: nothing) with the changes that each of the documents in `theirs` made to
    it, one after another; a change is kept unless a later one is about the same key.

    Where one of them is no document of ours, the last one as it is.
    """
    try:
        before = document.EMPTY if base is None else document.decode(base, of)
        versions = [document.decode(text, of) for text in theirs]
    except DocumentInvalid:
        return theirs[-1]
    values, texts = dict(before.values), dict(before.texts)
    for version in versions:
        for key in before.values.keys() - version.values.keys():
            values.pop(key, None)
        for key, value in version.values.items():
            if before.values.get(key) != value:
                values[key], texts[key] = value, version.texts[key]
    return document.encode(values, document.Document(values, texts))
