"""What a read of KV version 2 finds: the secret, and what lies beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from store_plugin.errors import ConfigInvalid
from store_plugin.model import ABSENT, Presence, Secret, StoredSecret, Version
from stores import _document as document
from stores.vault.http.answer import Answer
from stores.vault.kv import marks
from stores.vault.kv.answers import data_of, document_in, values_in

_PLACE = ("data", "data")


@dataclass(frozen=True, slots=True)
class Held:
    """What the server holds beside the secret itself; travels as `StoredSecret.raw`."""

    answer: Answer | None = None
    """Of the read; None for a tombstone or an empty secret, which hold no document."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All of it: marks, and the entries of a dead secret, too."""
    replaced: bool = False
    """Whether the entries are those of a dead secret, which the next ones replace."""

    def base_document(self, of: str) -> document.Document:
        return document_in(self.answer, _PLACE, of) if self.answer else document.EMPTY


def stored_in(answer: Answer, name: str) -> StoredSecret:
    """The secret of that name; a tombstone where the version asked for is deleted or destroyed."""
    data = data_of(answer)
    if data is None:
        return ABSENT
    about, found = data.get("metadata"), data.get("data")
    if not isinstance(about, dict) or "data" not in data:
        raise ConfigInvalid(f"{answer.where}: what is mounted there is not KV version 2")
    entries, version = texts(about.get("custom_metadata")), Version(str(about.get("version")))
    if not answer.ok:
        return StoredSecret(Presence.TOMBSTONE, version=version, raw=Held(None, entries, replaced=True))
    replaced = marks.of_the_past(entries, version)
    metadata = {} if replaced else marks.shown(entries)
    unfinished = replaced or (version == "1" and not metadata)
    values = values_in(answer, _PLACE, found, name) if isinstance(found, dict) else {}
    # Null is what `{"data": null}` wrote: a secret without keys.
    readable = isinstance(found, dict) or found is None
    return StoredSecret(
        Presence.PRESENT,
        Secret(values, metadata),
        version,
        Held(answer if isinstance(found, dict) else None, entries, replaced),
        age_of(about.get("created_time"), answer.date) if unfinished else None,
        None if readable else f"what is stored under {name} is not a JSON object",
    )


def age_of(created: object, date: str | None) -> float | None:
    """Seconds from `created` to the answer, both by the server's clock; None where it does
    not tell."""
    try:
        age = parsedate_to_datetime(date or "") - datetime.fromisoformat(str(created))
    except (TypeError, ValueError):
        return None
    return max(0.0, age.total_seconds())


def texts(metadata: object) -> dict[str, str]:
    """The entries of a `custom_metadata` in an answer; null is none."""
    return {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}
