"""The finalizer that keeps an owner until its connection details are unpublished.

Each function gives the merge patch to send, or None where there is nothing to do. The
patch names the resourceVersion it is based on: a list of finalizers is replaced as a
whole, and must not undo what somebody else has just added (the API server answers 409:
read the object again). kopf has finalizers of its own and needs none of this.
"""

from collections.abc import Callable, Mapping
from typing import Any

FINALIZER = "secrets.crossplane.io/connection-details"


def being_deleted(manifest: Mapping[str, Any]) -> bool:
    """Whether somebody has asked for its deletion."""
    return bool((manifest.get("metadata") or {}).get("deletionTimestamp"))


def add_finalizer(manifest: Mapping[str, Any], finalizer: str = FINALIZER) -> dict[str, Any] | None:
    """The patch that adds the finalizer: before the first publish. None for an object that
    has it, or that is being deleted: then none may be added."""
    if being_deleted(manifest):
        return None
    return _patch(manifest, lambda found: [*found, *([] if finalizer in found else [finalizer])])


def remove_finalizer(manifest: Mapping[str, Any], finalizer: str = FINALIZER) -> dict[str, Any] | None:
    """The patch that removes the finalizer: after the unpublish."""
    return _patch(manifest, lambda found: [one for one in found if one != finalizer])


def _patch(manifest: Mapping[str, Any], change: Callable[[list[str]], list[str]]) -> dict[str, Any] | None:
    metadata = manifest.get("metadata") or {}
    before = list(metadata.get("finalizers") or [])
    after = change(before)
    if after == before:
        return None
    return {"metadata": {"finalizers": after, "resourceVersion": metadata.get("resourceVersion")}}
