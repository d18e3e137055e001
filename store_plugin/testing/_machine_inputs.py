"""What the machine feeds a store: names, values that stores get wrong, owners, labels."""

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from store_plugin.model import OWNER_LABEL, ScopedName, Secret

if TYPE_CHECKING:
    from store_plugin.testing.machine import StoreMachine

NAMES = ("solo", "team/db", "team/db/replica", "other/db")
KEYS = ("a", "b", "tls.crt", "..", "data", "metadata")
LABELS = ("team", "tier")
OWNERS = ("uid-1", "uid-2")

PRINTABLE_TEXTS: st.SearchStrategy[str] = st.text(
    st.sampled_from("abcXYZ019._-:/@\u00e9\u4e16"), min_size=1, max_size=20
)
"""Metadata values that every known service takes: short, printable, not empty."""

KEY_LISTS = st.lists(st.sampled_from((*KEYS, "unknown")), unique=True, max_size=3)

_LOOK_LIKE_ENCODINGS = (b"null", b'"x"', b"{}", b"[]", b"1", b'{"$binary": "AA=="}', b"AA==")
_NOT_TEXT = (b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3")


def values() -> st.SearchStrategy[bytes]:
    """Values that stores get wrong: empty, binary, unicode, and what looks like an encoding."""
    tricky = st.sampled_from((b"", b"a\n", *_LOOK_LIKE_ENCODINGS, *_NOT_TEXT))
    texts = st.text(max_size=32).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return tricky | texts | st.binary(max_size=64)


def name() -> st.SearchStrategy[ScopedName]:
    def of(machine: "StoreMachine") -> st.SearchStrategy[ScopedName]:
        return st.sampled_from(machine.subject.names)

    return st.runner().flatmap(of)


def owner() -> st.SearchStrategy[str | None]:
    return st.sampled_from((*OWNERS, None))


def request() -> st.SearchStrategy[Secret]:
    """Secrets to apply; without metadata for a store that holds none."""

    def of(machine: "StoreMachine") -> st.SearchStrategy[Secret]:
        data = st.dictionaries(st.sampled_from(KEYS), values(), max_size=4)
        if not machine.store.capabilities.metadata:
            return st.builds(Secret, data)
        labels = st.dictionaries(st.sampled_from(LABELS), machine.subject.metadata_texts, max_size=2)
        return st.builds(_labelled, data, labels, owner())

    return st.runner().flatmap(of)


def _labelled(data: dict[str, bytes], labels: dict[str, str], uid: str | None) -> Secret:
    return Secret(data, {**labels, OWNER_LABEL: uid} if uid else labels)
