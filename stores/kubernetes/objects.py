"""Between a Secret as the API server tells it and a secret as the engine knows it."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from store_plugin.errors import StoreUnavailable
from store_plugin.model import ABSENT, OWNER_LABEL, Presence, Secret, StoredSecret, Version
from stores.kubernetes.rules import changed

Json = Mapping[str, Any]


def stored_from(found: Json | None) -> StoredSecret:
    """What was read. A Secret that waits for its finalizers is as good as gone."""
    if found is None:
        return ABSENT
    with a_secret():
        return _stored(found)


def version_of(written: Json) -> Version:
    """Of a Secret as it was answered to a write."""
    with a_secret():
        return Version(_word(written["metadata"], "resourceVersion"))


@contextmanager
def a_secret() -> Iterator[None]:
    """StoreUnavailable for an answer that is none: something else than an API server may answer."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError):
        pass  # what they show may be a value
    else:
        return
    raise StoreUnavailable("what the API server answers is no Secret")


def _stored(found: Json) -> StoredSecret:
    metadata = found["metadata"]
    if metadata.get("deletionTimestamp"):
        return ABSENT
    labels = metadata.get("labels") or {}
    owner = labels.get(OWNER_LABEL) or _controller(metadata)
    return StoredSecret(
        Presence.PRESENT,
        Secret(
            {key: b64decode(value) for key, value in (found.get("data") or {}).items()},
            {**labels, OWNER_LABEL: owner} if owner else dict(labels),
        ),
        Version(_word(metadata, "resourceVersion")),
        raw=_word(metadata, "uid"),
    )


def _word(metadata: Json, name: str) -> str:
    word = metadata[name]
    if not isinstance(word, str):
        raise TypeError(name)
    return word


def _controller(metadata: Json) -> str | None:
    """UID of the object that controls a Secret without our label, or of the first that owns
    it: secrets of Crossplane's `writeConnectionSecretToRef` have one."""
    references = sorted(metadata.get("ownerReferences") or [], key=lambda one: not one.get("controller"))
    return str(references[0]["uid"]) if references else None


def created(name: str, secret: Secret, secret_type: str) -> Json:
    """A Secret to create."""
    return {
        "metadata": {"name": name, "labels": dict(secret.metadata)},
        "type": secret_type,
        "data": _encoded(secret.data),
    }


def patch(base: StoredSecret, secret: Secret) -> Json:
    """A merge patch that makes `secret` of `base`, and nothing of another Secret: it fails
    where the version or the object itself is not that of `base`. What others put into the
    Secret besides data and labels stays."""
    return {
        "metadata": {
            "uid": base.raw,
            "resourceVersion": base.version,
            "labels": changed(base.secret.metadata, secret.metadata),
        },
        "data": changed(_encoded(base.secret.data), _encoded(secret.data)),
    }


def _encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    return {key: b64encode(value).decode() for key, value in data.items()}
