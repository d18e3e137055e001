"""What could be run: files in the well-known directory, executables that are installed, and what
Python packages offer; and what of it is registered.

Nothing is run for this, and nothing of a package is imported.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from store_plugin.errors import InvalidRequest
from store_plugin.lifecycle.administration.registering import Registrar
from store_plugin.lifecycle.packages.building import ENTRY_POINTS
from store_plugin.lifecycle.registration import Registration
from store_plugin.trust import MAX_EXECUTABLE_BYTES, digest_of

WELL_KNOWN = Path("/opt/store-plugin/plugins")
"""Where images and volumes put executables."""
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that is or could be a plugin here."""

    source: str
    """`file`, `installed` or `package`."""
    where: str
    name: str = ""
    version: str = ""
    digest: str = ""
    """Empty for a package."""
    state: str = ""
    """`enabled`, `registered` or `installed`; empty: none of them."""


def available(registrar: Registrar, directory: Path = WELL_KNOWN) -> list[Offer]:
    """All there is. InvalidRequest where `directory` is there and cannot be read. Blocking."""
    states = _States(registrar)
    offers = [*_files(directory, states), *_installed(registrar, states), *_packages(states)]
    shown = {offer.digest for offer in offers if offer.source == "file"}
    return [offer for offer in offers if offer.source != "installed" or offer.digest not in shown]


def package_with(plugin: str) -> str | None:
    """The Python package here that offers a plugin of that name, with its version; None: there is none."""
    found = (entry.dist for entry in entry_points(group=ENTRY_POINTS, name=plugin) if entry.dist is not None)
    return next((f"{dist.name} {dist.version}" for dist in found), None)


class _States:
    """What is known of each digest, and of each version of a name."""

    def __init__(self, registrar: Registrar) -> None:
        enabled = [one.registration for one in registrar.catalog.enabled().values()]
        self._enabled = {one.digest for one in enabled}
        self._registered: dict[str, Registration] = {}
        self._installed = set(registrar.content.digests())
        origins = [one for one in registrar.origins.all() if one.digest in self._installed]
        self._versions: dict[tuple[str | None, str | None], str] = {}
        self._versions.update(((one.name, one.version), "installed") for one in origins)
        for registration in registrar.catalog.versions():
            self._registered[registration.digest] = registration
            self._versions[registration.name, registration.version] = "registered"
        self._versions.update(((one.name, one.version), "enabled") for one in enabled)

    def offer(self, source: str, where: str, digest: str, name: str = "", version: str = "") -> Offer:
        registration = self._registered.get(digest)
        if registration is not None:
            state = "enabled" if digest in self._enabled else "registered"
            return Offer(source, where, registration.name, registration.version, digest, state)
        state = "installed" if digest in self._installed else ""
        return Offer(source, where, name, version, digest, state)

    def of_version(self, name: str, version: str) -> str:
        return self._versions.get((name, version), "")


def _files(directory: Path, states: _States) -> Iterator[Offer]:
    try:
        paths = sorted(directory.iterdir()) if directory.exists() else []
        for path in paths[:_MOST_FILES]:
            if path.is_file() and os.access(path, os.X_OK) and path.stat().st_size <= MAX_EXECUTABLE_BYTES:
                yield states.offer("file", str(path), digest_of(path))
    except OSError as error:
        raise InvalidRequest(f"{directory} cannot be read: {error.strerror}") from None


def _installed(registrar: Registrar, states: _States) -> Iterator[Offer]:
    for digest in registrar.content.digests():
        origin = registrar.origins.get(digest)
        where, name, version = (origin.source, origin.name, origin.version) if origin else ("", None, None)
        yield states.offer("installed", where, digest, name or "", version or "")


def _packages(states: _States) -> Iterator[Offer]:
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda found: found.name):
        if (dist := entry.dist) is not None:
            state = states.of_version(entry.name, dist.version)
            yield Offer("package", dist.name, entry.name, dist.version, state=state)
