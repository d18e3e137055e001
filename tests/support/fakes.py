"""Kinds, stores and a log for tests of what stands around stores."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

from pydantic import field_validator

from store_plugin.errors import StorePluginError
from store_plugin.model import ABSENT, ScopedName, Secret, StoredSecret, Version
from store_plugin.spec import CredentialReference, Manifest, StoreSpec
from store_plugin.store import Capabilities, Environment

GROUP_VERSION = "secrets.crossplane.io/v1alpha1"


class ShelfAuth(Manifest):
    """A block inside the spec."""

    method: Literal["Token", "Kubernetes"]
    token: CredentialReference | None = None


class ShelfSpec(StoreSpec):
    """The spec of the kind ShelfConfig."""

    server: str
    shelves: int = 1
    auth: ShelfAuth | None = None
    keys: tuple[CredentialReference, ...] = ()

    @field_validator("server")
    @classmethod
    def _is_a_url(cls, server: str) -> str:
        if not server.startswith(("http://", "https://")):
            raise ValueError(f"{server!r} is no URL: write http://HOST or https://HOST")
        return server


class FakeStore:
    """A store that holds nothing and tells whether it is open."""

    capabilities = Capabilities(compare_and_set=True, conditional_delete=True, listing=True)

    def __init__(self, spec: StoreSpec, environment: Environment) -> None:
        self.spec = spec
        self.environment = environment
        self.closed = 0
        self.failure: Exception | None = None
        self.close_failure: Exception | None = None

    def location(self, name: ScopedName) -> str:
        return f"fake/{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        self._work()
        return ABSENT

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        self._work()
        return Version("1")

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        self._work()

    async def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        self._work()
        for text in ("team/a", "team/b"):
            yield ScopedName.parse(text)

    async def check(self) -> list[str]:
        self._work()
        return []

    async def aclose(self) -> None:
        self.closed += 1
        if self.close_failure is not None:
            raise self.close_failure

    def _work(self) -> None:
        assert not self.closed, "a closed store is used"
        if self.failure is not None:
            raise self.failure


class FakeFactory:
    """Opens FakeStores; can be told to wait and to fail."""

    spec_model = ShelfSpec

    def __init__(self) -> None:
        self.stores: list[FakeStore] = []
        self.attempts = 0
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def open(self, spec: ShelfSpec, environment: Environment) -> FakeStore:
        self.attempts += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.stores.append(FakeStore(spec, environment))
        return self.stores[-1]


class FakeKind:
    """A served kind; counts how often its store is imported."""

    def __init__(self, factory: FakeFactory | None = None, failure: Exception | None = None) -> None:
        self.factory = factory or FakeFactory()
        self.failure = failure
        self.loads = 0

    def load(self) -> FakeFactory:
        self.loads += 1
        if self.failure is not None:
            raise self.failure
        return self.factory


class RecordingLog:
    """A store_plugin.store.Logger that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def events(self, *levels: str) -> list[str]:
        return [event for level, event, _ in self.lines if not levels or level in levels]

    @property
    def text(self) -> str:
        return "\n".join(map(repr, self.lines))

    def debug(self, event: str, **fields: Any) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(("error", event, fields))


def everything_in(error: BaseException) -> str:
    """All that an error could show anywhere."""
    fields = vars(error) if isinstance(error, StorePluginError) else {}
    return f"{error} {error!r} {fields}"
