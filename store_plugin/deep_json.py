"""JSON that may be nested deeper than Python follows.

An API server keeps what is nested ten thousand deep in a field that has no schema. Python's
parser gives up at a tenth of it, and with it on a whole page of a list: one author's object would
keep everybody's from being read. So what stands deeper than anybody means is left out then.
"""

import json
import re
from typing import Any

DEEPEST = 200
"""Levels that are kept of a text that is nested too deep to be read as it is."""
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def loads(text: bytes) -> Any:
    """As `json.loads`, of UTF-8, and with null for what is nested too deep. ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(_shallow(text))


def _shallow(text: bytes) -> bytes:
    kept: list[bytes] = []
    depth = at = 0
    for token in _TOKEN.finditer(text):
        if token[0] in b"[{":
            depth += 1
            if depth == DEEPEST + 1:
                kept += [text[at : token.start()], b"null"]
        elif token[0] in b"]}":
            if depth == DEEPEST + 1:
                at = token.end()
            depth -= 1
    return b"".join([*kept, text[at:]])
