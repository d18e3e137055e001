"""The data of a `kind: Secret` manifest, as Kubernetes reads it: base64 in `data`, plain
text in `stringData`, which wins."""

import base64
import binascii
from collections.abc import Callable, Mapping

from store_plugin.config.manifests.documents import Document, Value
from store_plugin.config.manifests.validation import FieldError


class _Undecodable(Exception):
    """A value that cannot be taken; the text says what it must be."""


def decode_secret(
    document: Document, manifest: Mapping[str, Value]
) -> tuple[dict[str, bytes], list[FieldError]]:
    """The values by key, and what is wrong with those that cannot be read."""
    data: dict[str, bytes] = {}
    errors: list[FieldError] = []
    for block, decode in (("data", _from_base64), ("stringData", _from_text)):
        entries = manifest.get(block)
        if isinstance(entries, dict):
            errors += _decode_entries(document, block, entries, decode, data)
        elif entries is not None:
            errors.append(FieldError(document.line((block,)), f"{block}: must be a block of keys and values"))
    return data, errors


def _decode_entries(
    document: Document,
    block: str,
    entries: Mapping[str, Value],
    decode: Callable[[Value], bytes],
    data: dict[str, bytes],
) -> list[FieldError]:
    """Put the entries into `data`. Keys are not shown: a value may have slipped into one."""
    errors = []
    for key, text in entries.items():
        try:
            data[key] = decode(text)
        except _Undecodable as error:
            line = document.line((block, key))
            errors.append(FieldError(line, f"{block}: the value on this line {error}"))
    return errors


def _from_base64(text: Value) -> bytes:
    try:
        # Long values are folded over several lines; kubectl takes them too.
        return base64.b64decode(b"".join(_from_text(text).split()), validate=True)
    except binascii.Error:
        raise _Undecodable("is not base64; plain text goes into stringData") from None


def _from_text(text: Value) -> bytes:
    if text is None:
        return b""
    if not isinstance(text, str):
        raise _Undecodable("is not text; put it in quotes")
    return text.encode("utf-8", "surrogatepass")
