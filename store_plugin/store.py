"""What a store is: five short calls and an honest list of what it can do.

The rules about secrets (merge, ownership, retries) live in the engine; a store only
reads, writes and deletes, and says when somebody else was faster. Stores are found by
entry points of the group `store_plugin.stores`, whose name is the served kind spelled
`KIND.VERSION.GROUP`, so that a kind is known before its module is imported.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, TypeVar

from store_plugin.errors import KindNotServed
from store_plugin.log import Logger as Logger
from store_plugin.model import MAX_DATA_BYTES, ScopedName, Secret, StoredSecret, Version
from store_plugin.spec import StoreSpec

ENTRY_POINT_GROUP = "store_plugin.stores"


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that one secret of a store can hold. None: no limit of its own besides those
    that `store_plugin.model` sets for all."""

    data_bytes: int = MAX_DATA_BYTES
    keys: int | None = None
    metadata_entries: int | None = None
    metadata_key_bytes: int | None = None
    metadata_value_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do; the contract suite proves each claim."""

    compare_and_set: bool
    """A write based on a version that is no longer the latest raises Conflict, whichever
    process wrote it."""
    conditional_delete: bool
    """The same for the removal of a whole secret. Without it a write that lands between
    the read and the removal goes with it."""
    versions: bool = False
    """Older versions can be read."""
    metadata: bool = True
    tombstones: bool = False
    """A removed secret may leave a version behind that the next write must name."""
    listing: bool = False
    """`names` works."""
    limits: Limits = field(default_factory=Limits)


class Store(Protocol):
    """A configured, open store.

    Every call may raise the errors of `store_plugin.errors`; anything else is a bug of
    the store. Calls run concurrently.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def location(self, name: ScopedName) -> str:
        """Where the secret lives, the same for every config that points there (server,
        mount, path): writers of one process queue on it."""
        ...

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        """What is stored; `absent` where nothing is. VersionNotFound for a version that
        does not exist."""
        ...

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        """Replace the whole secret, based on what was read. Conflict where it has changed
        since. Values and metadata that equal those of `base` are stored as they were."""
        ...

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        """Remove the secret with all its versions. Conflict as in `write` where the store
        has conditional delete."""
        ...

    def names(self, scope: str = "") -> AsyncIterator[ScopedName]:
        """All secrets below a scope (`""`: all), where `capabilities.listing`."""
        ...

    async def check(self) -> list[str]:
        """Raise unless the store is reachable, logged in and allowed; return warnings that
        a person who set it up should read."""
        ...

    async def aclose(self) -> None:
        """Release everything; never raises."""
        ...


class Credentials(Protocol):
    """The credential references of one config, resolved.

    Keyed by the reference's path in the spec as written in the manifest, such as
    `auth.token`. Values are re-read when their source changes.
    """

    def get(self, path: str) -> bytes:
        """The value, trimmed of one trailing newline. ConfigInvalid where it is missing."""
        ...

    def has(self, path: str) -> bool:
        """Whether the spec holds a reference at `path` with a source other than None."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, on the event loop, after any value changed; returns how to stop."""
        ...


class ClusterClient(Protocol):
    """What stores use of the kubernetes library's ApiClient for asyncio."""

    @property
    def param_serialize(self) -> Callable[..., Any]: ...

    @property
    def call_api(self) -> Callable[..., Any]: ...

    @property
    def close(self) -> Callable[..., Any]: ...


@dataclass(frozen=True, slots=True)
class MemberCluster:
    """A cluster of a fleet, as its ClusterProfile says at this moment."""

    identity: object
    """Equal as long as a connection made before is the one that would be made now."""
    connect: Callable[[], ClusterClient]
    """A client that logs in by itself, again when it must; whoever calls this closes it."""


class Fleet(Protocol):
    """Clusters that ClusterProfiles tell how to reach."""

    async def member(self, namespace: str, name: str) -> MemberCluster:
        """ConfigInvalid where there is no such profile, or none that can be used here;
        StoreUnavailable where it cannot be looked up now."""
        ...


@dataclass(frozen=True, slots=True)
class Environment:
    """What a store needs from outside."""

    config: str
    """The config's name for messages, such as `VaultConfig/prod`."""
    credentials: Credentials
    log: Logger
    fleet: Fleet | None = None
    """None where nobody said how members of a fleet are logged in to."""


SpecT = TypeVar("SpecT", bound=StoreSpec)


class StoreFactory(Protocol[SpecT]):
    """What an entry point names: the config's model and how to open a store from it."""

    @property
    def spec_model(self) -> type[SpecT]: ...

    async def open(self, spec: SpecT, environment: Environment) -> Store:
        """Open without any call to the service: logging in happens with the first use, so
        that a store that is away never holds up anything. ConfigInvalid where the spec or
        a credential cannot be used."""
        ...


@dataclass(frozen=True, slots=True)
class ServedKind:
    """A kind of store config that an installed store serves; loading imports the store."""

    api_version: str
    kind: str
    entry_point: EntryPoint

    def load(self) -> StoreFactory[Any]:
        """The factory. KindNotServed where a library that the store needs is missing."""
        try:
            factory: StoreFactory[Any] = self.entry_point.load()
        except ImportError as error:
            raise library_missing(self.kind, error) from error
        return factory


def library_missing(kind: str, error: ImportError) -> KindNotServed:
    """What a kind is told to be whose store failed to import a module."""
    return KindNotServed(
        f"kind {kind} needs the module {error.name!r}; install store-plugin with the extra "
        f"for this store, such as 'store-plugin[all]'"
    )


def served_kinds() -> dict[tuple[str, str], ServedKind]:
    """The installed kinds by (apiVersion, kind); imports none of them."""
    found = {}
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        kind, version, group = entry_point.name.split(".", 2)
        api_version = f"{group}/{version}"
        found[api_version, kind] = ServedKind(api_version, kind, entry_point)
    return found
