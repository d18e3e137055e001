"""Secrets as the API server holds them: read one by one, changed by merge patches.

Lists, watches and the answers to patches are metadata only (PartialObjectMetadata), so that
values are in memory for no longer than one Secret is worked on.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from store_plugin.cluster_api import MERGE_PATCH, ApiClient, ClusterApi, Json
from store_plugin.errors import Conflict, InvalidRequest, Throttled
from store_plugin.publisher.cluster.budgets import Budgets
from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.queue import Key
from store_plugin.publisher.wishes.annotations import FINALIZER, STATUS
from store_plugin.publisher.wishes.wish import Head
from store_plugin.runtime.finalizers import being_deleted

_WRITES_PER_SECOND, _WRITES_AT_ONCE = 0.2, 20
"""To one Secret. One that is filled every 10 seconds needs half of it."""
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_ONE = "/api/v1/namespaces/{namespace}/secrets/{name}"


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """A Secret with its values."""

    head: Head
    data: Mapping[str, bytes] = field(repr=False)
    uid: str
    metadata: Json = field(repr=False)

    @classmethod
    def of(cls, found: Json) -> Self:
        """What the API server tells; without values where it tells metadata only."""
        metadata: Json = found.get("metadata") or {}
        key = Key(str(metadata.get("namespace", "")), str(metadata.get("name", "")))
        head = Head(
            key.namespace,
            key.name,
            metadata.get("annotations") or {},
            metadata.get("labels") or {},
            str(found.get("type", "")),
        )
        try:
            data = {name: b64decode(value or "") for name, value in (found.get("data") or {}).items()}
        except (binascii.Error, TypeError):
            raise Conflict(f"the API server's answer for Secret {key} is no Secret") from None
        return cls(head, data, str(metadata.get("uid", "")), metadata)

    @property
    def key(self) -> Key:
        return Key(self.head.namespace, self.head.name)

    @property
    def version(self) -> str:
        return str(self.metadata.get("resourceVersion", ""))

    @property
    def being_deleted(self) -> bool:
        return being_deleted({"metadata": self.metadata})

    @property
    def has_finalizer(self) -> bool:
        return FINALIZER in (self.metadata.get("finalizers") or ())

    def finalizers(self, ours: bool) -> list[str]:
        """Those of others, with ours or without."""
        others = [one for one in self.metadata.get("finalizers") or () if one != FINALIZER]
        return [*others, FINALIZER] if ours else others


class ClusterSecrets:
    """Reads and changes them. A change names the version that it is based on, and returns the one
    that it made: Conflict where the Secret is not as it was, or gone. So nobody's change is ever
    taken for ours. `written` is told of each write, by what is written.

    Throttled where one Secret is written again and again: another controller undoes it each time,
    and would be woken by each write."""

    def __init__(self, client: ApiClient, written: Callable[[str], None]) -> None:
        self._whole = ClusterApi(client)
        self._written = written
        self._metadata = ClusterApi(client, accept=METADATA_ONLY)
        self._budgets = Budgets[Key](_WRITES_PER_SECOND, _WRITES_AT_ONCE)

    async def read(self, key: Key) -> FoundSecret | None:
        """None: there is none."""
        found = await self._whole.find(_ONE, namespace=key.namespace, name=key.name)
        return None if found is None else FoundSecret.of(found)

    async def read_metadata(self, key: Key) -> FoundSecret | None:
        """The same without its values."""
        found = await self._metadata.find(_ONE, namespace=key.namespace, name=key.name)
        return None if found is None else FoundSecret.of(found)

    async def keep(self, secret: FoundSecret, version: str) -> str:
        """Put the finalizer on."""
        return await self._change(secret.key, version, "finalizer", {"finalizers": secret.finalizers(True)})

    async def release(self, secret: FoundSecret, version: str) -> str:
        """Take the finalizer off."""
        return await self._change(secret.key, version, "finalizer", {"finalizers": secret.finalizers(False)})

    async def let_go(self, secret: FoundSecret, version: str) -> str:
        """Take the finalizer off, and what we have said."""
        change: dict[str, object] = {"annotations": {STATUS: None}}
        if secret.has_finalizer:
            change["finalizers"] = secret.finalizers(False)
        return await self._change(secret.key, version, "finalizer", change)

    async def say(self, secret: FoundSecret, version: str, said: str) -> str:
        """Write the condition."""
        return await self._change(secret.key, version, "status", {"annotations": {STATUS: said}})

    async def put_back(self, secret: FoundSecret, said: str) -> FoundSecret:
        """The finalizer and the condition at once; the Secret as it is then."""
        finalizers, annotations = secret.finalizers(True), {**secret.head.annotations, STATUS: said}
        change = {"finalizers": finalizers, "annotations": {STATUS: said}}
        version = await self._change(secret.key, secret.version, "status", change)
        metadata = {**secret.metadata, "finalizers": finalizers, "resourceVersion": version}
        return replace(secret, head=replace(secret.head, annotations=annotations), metadata=metadata)

    async def fill(self, secret: FoundSecret, version: str, data: Mapping[str, bytes | None]) -> str:
        """Write keys, remove those that are None. Refused where the API server will not have it."""
        encoded = {key: None if value is None else b64encode(value).decode() for key, value in data.items()}
        try:
            return await self._change(secret.key, version, "data", {}, data=encoded)
        except InvalidRequest:  # its message is the API server's, who has just seen the values
            told = (
                "the API server refuses the change: is the Secret immutable, of a type with keys of its own, "
            )
            raise Refused(Reason.SECRET_REFUSED, f"{told}or would it be larger than 1 MiB?") from None

    async def _change(
        self, key: Key, version: str, what: str, metadata: Mapping[str, object], **more: object
    ) -> str:
        if not self._budgets.take(key):
            raise Throttled(
                f"Secret {key} is changed by somebody else again and again, each time it is written"
            )
        patch = {"metadata": {"resourceVersion": version, **metadata}, **more}
        names = {"namespace": key.namespace, "name": key.name}
        answer = await self._metadata.send("PATCH", _ONE, patch, content_type=MERGE_PATCH, **names)
        if answer is None:
            raise Conflict(f"Secret {key} has just been deleted")
        self._written(what)
        return str((answer.get("metadata") or {}).get("resourceVersion", ""))
