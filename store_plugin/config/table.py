"""All store configs in memory: what the router looks up, whatever their source.

A generation counts the specs that a config has had: it grows only when a validated spec
really differs, so that a touched file or a moved line never swaps a store.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from store_plugin.config.credentials.of_config import ConfigCredentials
from store_plugin.config.declarations import DeclaredConfig
from store_plugin.config.subscribers import Subscribers
from store_plugin.model import ConfigReference
from store_plugin.spec import StoreSpec


class ConfigStatus(Enum):
    """What a config's manifest is worth."""

    VALID = "Valid"
    STALE = "Stale"
    """Invalid now; the last good spec is in use."""
    INVALID = "Invalid"
    """Invalid, and there never was a good spec."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A store config as it is in effect."""

    reference: ConfigReference
    generation: int
    """Counts its good specs from 1; 0 where there never was one."""
    spec: StoreSpec | None
    """The last good one."""
    credentials: ConfigCredentials = field(repr=False)
    """Of that spec."""
    source: str
    """Where it is declared: `file.yaml:12`, or the object of the cluster."""
    error: str | None = None
    """What is wrong with it as it stands there now."""

    @property
    def status(self) -> ConfigStatus:
        if self.error is None:
            return ConfigStatus.VALID
        return ConfigStatus.INVALID if self.spec is None else ConfigStatus.STALE


Changed = Callable[[Collection[ConfigReference]], None]
"""Told which configs were added, changed or removed; `get` answers anew by then."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """What is counted of the configs."""

    counts: Mapping[tuple[str, ConfigStatus], int]
    broken: tuple[LoadedConfig, ...]


class ConfigTable:
    """The configs in effect. No I/O; belongs to one event loop."""

    def __init__(self) -> None:
        self._configs: dict[ConfigReference, LoadedConfig] = {}
        self._subscribers: Subscribers[[Collection[ConfigReference]]] = Subscribers()
        self._tallied: _Tally | None = None
        self._unread: Callable[[str, str], str | None] = _all_read

    def get(self, reference: ConfigReference) -> LoadedConfig | None:
        """The config in effect under a reference, or None."""
        return self._configs.get(reference)

    def unread(self, api_version: str, kind: str) -> str | None:
        """Why it is not known which configs of a kind there are; None: it is."""
        return self._unread(api_version, kind)

    def all(self) -> Collection[LoadedConfig]:
        """Every config."""
        return self._configs.values()

    def counts(self) -> Mapping[tuple[str, ConfigStatus], int]:
        """How many configs there are of each kind and status."""
        return self._tally().counts

    def broken(self) -> Collection[LoadedConfig]:
        """Those that are not valid as they are declared now, in the order of their files."""
        return self._tally().broken

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        """Call back after every change; returns how to stop."""
        return self._subscribers.add(callback)

    def replace(
        self, declared: Iterable[DeclaredConfig], credentials_of: Callable[[StoreSpec], ConfigCredentials]
    ) -> Collection[ConfigReference]:
        """Put in effect what is declared now, and nothing else; returns what changed."""
        now = list(declared)
        references = {config.reference: None for config in now}
        changed = self._put(now, self._configs.keys() - references.keys(), credentials_of)
        self._configs = {reference: self._configs[reference] for reference in references}
        self._announce(changed)
        return changed

    def update(
        self,
        declared: Iterable[DeclaredConfig],
        removed: Iterable[ConfigReference],
        credentials_of: Callable[[StoreSpec], ConfigCredentials],
    ) -> Collection[ConfigReference]:
        """Put in effect what is declared, take away what is removed, and leave all else as it
        is; returns what changed. Costs nothing for the configs that are not named."""
        changed = self._put(declared, removed, credentials_of)
        self._announce(changed)
        return changed

    def read_by(self, unread: Callable[[str, str], str | None]) -> None:
        """Who to ask why it is not known which configs of an (apiVersion, kind) there are."""
        self._unread = unread

    def _put(
        self,
        declared: Iterable[DeclaredConfig],
        removed: Iterable[ConfigReference],
        credentials_of: Callable[[StoreSpec], ConfigCredentials],
    ) -> Collection[ConfigReference]:
        changed = {reference for reference in removed if self._configs.pop(reference, None) is not None}
        for config in declared:
            before = self._configs.get(config.reference)
            now = _in_effect(before, config, credentials_of)
            if now is not before:
                self._configs[config.reference] = now
                changed.add(config.reference)
        return changed

    def _announce(self, changed: Collection[ConfigReference]) -> None:
        if changed:
            self._tallied = None
            for callback in self._subscribers:
                callback(changed)

    def _tally(self) -> _Tally:
        """Counted once after each change: pages ask far more often."""
        if self._tallied is None:
            configs = self._configs.values()
            self._tallied = _Tally(
                Counter((config.reference.kind, config.status) for config in configs),
                tuple(config for config in configs if config.error is not None),
            )
        return self._tallied


def _all_read(_api_version: str, _kind: str) -> str | None:
    return None


def _in_effect(
    before: LoadedConfig | None,
    declared: DeclaredConfig,
    credentials_of: Callable[[StoreSpec], ConfigCredentials],
) -> LoadedConfig:
    """What holds after `declared` was read: the same object where nothing changed."""
    spec = declared.spec
    if before is None:
        generation = 0 if spec is None else 1
        return LoadedConfig(
            declared.reference,
            generation,
            spec,
            credentials_of(spec or StoreSpec()),
            declared.source,
            declared.error,
        )
    if spec is not None and (before.spec is None or (spec is not before.spec and spec != before.spec)):
        before = replace(
            before, generation=before.generation + 1, spec=spec, credentials=credentials_of(spec)
        )
    if before.source == declared.source and before.error == declared.error:
        return before
    return replace(before, source=declared.source, error=declared.error)
