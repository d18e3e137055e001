"""Two entries of `custom_metadata` that are ours: they tell whose the other entries are.

The server keeps `custom_metadata` beside all versions. So a secret that is created over a
tombstone finds the entries of the dead one there, its owner among them, until its own are
written. `UNFINISHED` is put there before, and `FINISHED` takes its place with the new
entries (docs/decisions/0009-half-finished-creates.md). Callers never see either.
"""

from collections.abc import Mapping

from store_plugin.model import OWNER_LABEL

UNFINISHED = "store-plugin.unfinished"
"""The version that begins a new secret: the entries beside it are of the secret before."""
FINISHED = "store-plugin.finished"
"""The version that the entries were written for. `UNFINISHED` says nothing up to it: it
came late, from a writer who lost the race for that version."""
MARKS = frozenset({UNFINISHED, FINISHED})
MOST_ENTRIES = 64

Entries = Mapping[str, str]


def shown(entries: Entries) -> Entries:
    """What callers see of a secret's own entries."""
    if entries.keys().isdisjoint(MARKS):
        return entries
    return {key: value for key, value in entries.items() if key not in MARKS}


def of_others(entries: Entries) -> Entries:
    """What we do not write by ourselves: neither marks nor an owner. Of a secret that is not
    yet there, or no longer, those are leftovers."""
    return {key: value for key, value in entries.items() if key not in MARKS and key != OWNER_LABEL}


def of_the_past(entries: Entries, version: str) -> bool:
    """Whether they are of the secret that this `version`, or one before it, replaced."""
    if UNFINISHED not in entries:
        return False
    return _number(entries.get(FINISHED)) < _number(entries[UNFINISHED]) <= _number(version)


def announced(entries: Entries, version: int) -> Entries:
    """The entries of a tombstone, with word of the `version` that will replace it."""
    if len(entries) >= MOST_ENTRIES and UNFINISHED not in entries:
        return {UNFINISHED: str(version)}
    return {**entries, UNFINISHED: str(version)}


def finished(entries: Entries, version: str) -> Entries:
    """The entries of a new secret that `version` began."""
    return fitting({**entries, FINISHED: version})


def fitting(entries: Entries) -> Entries:
    """Without the marks where the server would not hold them too."""
    return entries if len(entries) <= MOST_ENTRIES else shown(entries)


def without_early_mark(entries: Entries, version: str) -> Entries:
    """Without the mark of a version still to come, which would then cover what is a present
    secret's own: its writer gave up, and the tombstone was restored."""
    if UNFINISHED not in entries or _number(entries[UNFINISHED]) <= _number(version):
        return entries
    return {key: value for key, value in entries.items() if key != UNFINISHED}


def _number(version: str | None) -> int:
    """0 for what is no version."""
    return int(version) if version and version.isascii() and version.isdigit() and len(version) < 19 else 0
