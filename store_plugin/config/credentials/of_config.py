"""The credential references of one config, as its store sees them."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property

from store_plugin.config.credentials.origins import Missing, Origin, origins_of
from store_plugin.config.credentials.sources import CredentialSources
from store_plugin.config.subscribers import Subscribers
from store_plugin.errors import ConfigInvalid
from store_plugin.spec import StoreSpec


class ConfigCredentials:
    """The credentials of one config: a `store_plugin.store.Credentials`."""

    def __init__(self, spec: StoreSpec, sources: CredentialSources) -> None:
        self._spec = spec
        self._sources = sources
        self._subscribers: Subscribers[[]] = Subscribers()
        self._in_use = False

    @cached_property
    def origins(self) -> Mapping[str, Origin]:
        """Where each reference points, by its path in the spec; without those to None."""
        return origins_of(self._spec)

    def get(self, path: str) -> bytes:
        """The value; from memory, once `load` was awaited. ConfigInvalid where it is missing."""
        origin = self.origins.get(path)
        if origin is None:
            raise ConfigInvalid(
                f"{path}: a credential is required: give it a source Environment, Filesystem or Secret"
            )
        try:
            return self._use().value(origin)
        except Missing as missing:
            raise ConfigInvalid(f"{path}: {missing}") from None

    def has(self, path: str) -> bool:
        """Whether a credential is configured at `path`; its value may still be missing."""
        return path in self.origins

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back on the event loop after any value changed; returns how to stop."""
        return self._subscribers.add(callback)

    async def load(self) -> None:
        """Read what was not read yet, without blocking the event loop."""
        await self._use().load(self.origins.values())

    def losses(self) -> list[tuple[str, str]]:
        """(path, message) of the references that cannot be read any more; their last
        good values are in use."""
        if not self._in_use:
            return []
        found = ((path, self._sources.loss(origin)) for path, origin in self.origins.items())
        return [(path, loss) for path, loss in found if loss is not None]

    def _use(self) -> CredentialSources:
        """The sources, which follow our origins from now on."""
        if not self._in_use:
            self._in_use = True
            self._sources.follow(self)
        return self._sources

    def announce(self) -> Collection[Exception]:
        """Tell all subscribers that a value changed; returns what they failed with."""
        failures = []
        for callback in self._subscribers:
            try:
                callback()
            except Exception as failure:  # one store's failure must not keep the news from others
                failures.append(failure)
        return failures
