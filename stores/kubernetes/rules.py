"""What Kubernetes takes as names, keys and labels, checked before anything is sent: the API
server's own refusals come one request later and in its own terms.

The rules: "Object Names and IDs" and "Labels and Selectors" of its documentation; for keys
`IsConfigMapKey` of its validation.
"""

import re
from collections.abc import Iterable, Mapping

from store_plugin.errors import InvalidRequest, NameNotSupported, TooLarge
from store_plugin.model import ScopedName, Secret
from store_plugin.store import Limits

LIMITS = Limits(metadata_value_bytes=63)
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_PART = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_PART}(\.{_PART})*\Z")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?\Z")


def place_of(name: ScopedName) -> tuple[str, str]:
    """Namespace and name. NameNotSupported says what is wrong."""
    if len(name.segments) != 2:
        raise NameNotSupported(f"{name} is no Secret: in Kubernetes a name is NAMESPACE/NAME")
    namespace, own = name.segments
    if not _NAMESPACE.match(namespace):
        raise NameNotSupported(
            f"{namespace} is no namespace: 1 to 63 lower-case letters, digits or -, between letters or digits"
        )
    if not _NAME.match(own):
        raise NameNotSupported(
            f"{own} is no name of a Secret: lower-case letters, digits, - and ., between letters or digits"
        )
    return namespace, own


def check(name: ScopedName, secret: Secret) -> None:
    """Raise where no Secret can hold this."""
    _check_keys(name, secret.data)
    if secret.size > LIMITS.data_bytes:
        raise TooLarge(f"{name} has {secret.size} bytes; a Secret holds at most {LIMITS.data_bytes}")
    for key, value in secret.metadata.items():
        _check_label(name, key, value)


def _check_keys(name: ScopedName, keys: Iterable[str]) -> None:
    for key in keys:
        if key == "." or key.startswith(".."):
            raise InvalidRequest(f"{name}: the key {key!r} is not allowed in a Secret")


def _check_label(name: ScopedName, key: str, value: str) -> None:
    prefix, slash, own = key.rpartition("/")
    if (slash and not _NAME.match(prefix)) or not own or len(own) > 63 or not _LABEL.match(own):
        raise InvalidRequest(
            f"{name}: a metadata key is a label in Kubernetes: [DOMAIN/]NAME, at most 63 long"
        )
    if len(value) > 63:
        raise TooLarge(f"{name}: the label {key} has {len(value)} characters; at most 63 are allowed")
    if not _LABEL.match(value):
        raise InvalidRequest(
            f"{name}: the value of the label {key} holds a character that is not allowed: "
            "letters, digits and ._- between letters or digits"
        )


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    """The entries of a merge patch from one to the other; None removes."""
    gone: dict[str, str | None] = dict.fromkeys(before.keys() - after.keys())
    return gone | {key: value for key, value in after.items() if before.get(key) != value}
