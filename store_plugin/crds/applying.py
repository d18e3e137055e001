"""Bringing the CRDs into a cluster, without taking anything away from anybody.

Several sidecars of different versions start in one cluster, in any order. So a CRD that a
newer version has applied stays, and so does one of a kind that others define as well.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from store_plugin import __version__
from store_plugin.cluster import told_as_ours
from store_plugin.crds.definition import VERSION_ANNOTATION, Definition
from store_plugin.errors import ConfigInvalid, Conflict

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient, ApiException

FIELD_MANAGER = "store-plugin-crds"
_RESOURCE = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
_TRIES = 5
_CALL_SECONDS = 10.0
_REFUSED = (400, 422)
"""Codes of what it will refuse tomorrow as well."""
_MOST_SAID = 500
"""Characters that are passed on of why. They quote the CRD, which is no secret."""


class State(Enum):
    """What was found in the cluster, or done to it."""

    APPLIED = "applied"
    CURRENT = "current"
    OLDER = "older"
    MISSING = "missing"
    NEWER = "newer, left"
    FOREIGN = "another's, left"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One CRD; `version` is the one that had applied it before, None where none of ours had."""

    name: str
    state: State
    version: str | None = None


async def look(api: "ApiClient", definitions: Sequence[Definition]) -> list[Outcome]:
    """What the cluster has. Raises what `told_as_ours` raises."""
    return [_compared(definition, await _stored(api, definition)) for definition in definitions]


async def apply(api: "ApiClient", definitions: Sequence[Definition]) -> list[Outcome]:
    """Apply every CRD that is missing, ours and not newer, or another's of a kind of ours.

    Server-side: what others add to a CRD stays. Raises what `told_as_ours` raises,
    ConfigInvalid for one that the API server refuses, Conflict where somebody else keeps changing it.
    """
    return [await _apply_one(api, definition) for definition in definitions]


async def _apply_one(api: "ApiClient", definition: Definition) -> Outcome:
    for _ in range(_TRIES):
        stored = await _stored(api, definition)
        found = _compared(definition, stored)
        if found.state in (State.NEWER, State.FOREIGN):
            return found
        if await _patch(api, definition, stored):
            return Outcome(found.name, State.APPLIED, found.version)
    raise Conflict(f"{definition.name} changes all the time: who else applies it?")


def _compared(definition: Definition, stored: dict[str, Any] | None) -> Outcome:
    if stored is None:
        return Outcome(definition.name, State.MISSING)
    version = stored["metadata"].get("annotations", {}).get(VERSION_ANNOTATION)
    return Outcome(definition.name, _state(definition, version), version)


def _state(definition: Definition, version: str | None) -> State:
    if version is None:
        return State.FOREIGN if definition.shared else State.OLDER
    if version == __version__:
        return State.CURRENT
    stored, ours = _release(version), _release(__version__)
    # A version that cannot be read was written by somebody who knows more than we do.
    return State.NEWER if stored is None or ours is None or stored > ours else State.OLDER


def _release(version: str) -> tuple[int, ...] | None:
    """`1.2.3rc1` as (1, 2, 3)."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else None


async def _stored(api: "ApiClient", definition: Definition) -> dict[str, Any] | None:
    from kubernetes.aio.client import ApiException, CustomObjectsApi

    with told_as_ours("read CustomResourceDefinitions"):
        try:
            found = await CustomObjectsApi(api).get_cluster_custom_object(
                *_RESOURCE, definition.name, _request_timeout=_CALL_SECONDS
            )
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        assert isinstance(found, dict)
        return found


async def _patch(api: "ApiClient", definition: Definition, stored: dict[str, Any] | None) -> bool:
    """Whether it was still as `stored` and is applied now."""
    from kubernetes.aio.client import ApiException, CustomObjectsApi

    manifest = definition.manifest()
    if stored is not None:
        manifest["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
    with told_as_ours("apply CustomResourceDefinitions"):
        try:
            await CustomObjectsApi(api).patch_cluster_custom_object(
                *_RESOURCE,
                definition.name,
                manifest,
                field_manager=FIELD_MANAGER,
                force=True,
                _content_type="application/apply-patch+yaml",
                _request_timeout=_CALL_SECONDS,
            )
        except ApiException as error:
            if error.status == 409:
                return False
            if error.status in _REFUSED:
                raise ConfigInvalid(
                    f"the API server refuses the CRD {definition.name}: {_said(error)}"
                ) from None
            raise
    return True


def _said(error: "ApiException") -> str:
    """Why the API server refuses, in its own words, or what its answer's first line has."""
    try:
        said = str(json.loads(error.body or "")["message"])
    except (ValueError, LookupError, TypeError):
        said = f"{error.status} {error.reason}"
    said = " ".join(said.split())
    return said if len(said) <= _MOST_SAID else f"{said[: _MOST_SAID - 1]}…"
