"""Secrets of a cluster as a store.

One Secret is one secret: its namespace is the scope, its labels are the metadata, its
resourceVersion is what compare-and-set compares.
"""

from collections.abc import AsyncIterator
from urllib.parse import quote

from store_plugin.errors import Conflict, InvalidRequest, StoreDenied, VersionNotFound
from store_plugin.model import Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.store import Capabilities, Environment
from stores._samples import scopes_of
from stores.kubernetes.api import MERGE_PATCH, NAMES_ONLY
from stores.kubernetes.connection import Connection
from stores.kubernetes.objects import created, patch, stored_from, version_of
from stores.kubernetes.rules import LIMITS, check, place_of
from stores.kubernetes.spec import KubernetesSpec

CAPABILITIES = Capabilities(compare_and_set=True, conditional_delete=True, listing=True, limits=LIMITS)
_VERBS = ("get", "create", "patch", "delete")
_NAMES_A_PAGE = "500"
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class KubernetesStore:
    """A `Store` over the Secrets of one cluster. Made by the factory."""

    def __init__(self, spec: KubernetesSpec, environment: Environment) -> None:
        self._spec = spec
        self._connection = Connection(spec, environment)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def location(self, name: ScopedName) -> str:
        return f"{self._connection.server}/{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        if version is not None:
            raise VersionNotFound(f"secret {name} has no version {version}: Kubernetes keeps none")
        path = _path(*place_of(name))
        async with self._connection.api() as api:
            return stored_from(await api.request("GET", path))

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        namespace, own = place_of(name)
        check(name, secret)
        async with self._connection.api() as api:
            if base.presence is Presence.PRESENT:
                body, path = patch(base, secret), _path(namespace, own)
                written = await api.request("PATCH", path, body, content_type=MERGE_PATCH)
                if written is None:
                    raise Conflict(f"Secret {name} has just been deleted")
            else:
                body = created(own, secret, self._spec.secret_type)
                written = await api.request("POST", _path(namespace), body)
                if written is None:
                    raise InvalidRequest(f"there is no namespace {namespace}: create it first")
        return version_of(written)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        path = _path(*place_of(name))
        conditions = {"uid": base.raw, "resourceVersion": base.version}
        async with self._connection.api() as api:
            await api.request("DELETE", path, {"preconditions": conditions})

    async def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        """Those of the config's type; no value is fetched."""
        query = {"fieldSelector": f"type={self._spec.secret_type}", "limit": _NAMES_A_PAGE}
        more = True
        while more:
            async with self._connection.api() as api:
                page = await api.request("GET", _path(scope), query=query, accept=NAMES_ONLY) or {}
            for item in page.get("items") or ():
                metadata = item["metadata"]
                yield ScopedName.parse(f"{metadata['namespace']}/{metadata['name']}")
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            more = bool(query["continue"])

    async def check(self) -> list[str]:
        """Asks for the rights it takes, in the namespaces that the access rules name."""
        scopes = scopes_of(self._spec)
        lacking = [
            f"{verb} in {scope or 'all namespaces'}"
            for scope in scopes or ("",)
            for verb in _VERBS
            if not await self._may(verb, scope)
        ]
        if not lacking:
            return []
        told = f"the ServiceAccount may not do this with secrets: {', '.join(lacking)}"
        if scopes:
            raise StoreDenied(f"{told}; add it to its role")
        return [f"{told}; name the namespaces it may use in access, and they are checked instead"]

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def _may(self, verb: str, namespace: str) -> bool:
        attributes = {"verb": verb, "resource": "secrets", "namespace": namespace}
        async with self._connection.api() as api:
            answer = await api.request("POST", _REVIEW, {"spec": {"resourceAttributes": attributes}})
        return bool(answer and answer["status"].get("allowed"))


def _path(namespace: str = "", name: str = "") -> str:
    within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    own = f"/{quote(name, safe='')}" if name else ""
    return f"/api/v1{within}/secrets{own}"
