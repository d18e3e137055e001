"""Executables come into the content store, and with them what is known of their origin.

What is in there has no effect until it is registered. Still nothing stays that failed a check.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from store_plugin.errors import InvalidRequest, PluginUntrusted
from store_plugin.lifecycle.administration.origins import Origin, Origins
from store_plugin.lifecycle.administration.recording import recorded
from store_plugin.lifecycle.administration.registering import first_problem
from store_plugin.lifecycle.administration.trust import TrustedKeys
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.catalog import now
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.files import turn
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.packages.archives import check_archive, is_archive


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that shall be installed, and what is said of it."""

    file: Path
    source: str
    name: str | None = None
    version: str | None = None
    digest: str | None = None
    """What it must be, where somebody has said so."""
    signature: str | None = None
    key: Path | None = None
    """The key that must have signed it; None: any that is trusted."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed."""

    digest: str
    signer: str
    """Empty where it is not signed."""
    new: bool
    name: str | None
    """As somebody has said, now or when the same was installed before."""
    version: str | None


class Installer:
    """Of one plugins directory. Blocking."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._audit = AuditLog(layout.audit)
        self._content = ContentStore(layout.content)
        self._origins = Origins(layout)
        self.keys = TrustedKeys(layout, self._audit)

    def install(self, incoming: Incoming) -> Installed:
        """Copy it in, check it there, note it. PluginUntrusted, InvalidRequest, TooLarge,
        StoreUnavailable; then it is not there, unless it was before."""
        with turn(self._layout.content):  # what another one has just installed is not taken back
            self._content.sweep()
            return self._install(incoming)

    def _install(self, incoming: Incoming) -> Installed:
        before = set(self._content.digests())
        digest = self._content.add(incoming.file)
        try:
            signer = self._checked(incoming, digest)
            fields = _fields(incoming, digest, signer)
            with recorded(self._audit, "install", incoming.name or "", fields):
                origin = self._noted(incoming, digest)
        except BaseException:
            if digest not in before:
                self._content.remove(digest)
            raise
        return Installed(digest, signer, digest not in before, origin.name, origin.version)

    def _checked(self, incoming: Incoming, digest: str) -> str:
        """The checks are of the copy: nobody can change it any more."""
        if incoming.digest not in (None, digest):
            raise PluginUntrusted(f"{incoming.source} is not what it should be: its digest is {digest}")
        copy = self._content.path(digest)
        if is_archive(copy):
            check_archive(copy, incoming.source)
        return self.keys.signer_of(copy, incoming.signature, incoming.key)

    def _noted(self, incoming: Incoming, digest: str) -> Origin:
        known = self._origins.get(digest)
        if incoming.signature is None and known is not None and known.signature is not None:
            return known  # which says more
        named = known if known is not None and incoming.name is None else incoming
        try:
            origin = Origin(
                digest=digest,
                source=incoming.source,
                name=named.name,
                version=named.version,
                signature=incoming.signature,
                installed_at=now(),
            )
        except ValidationError as error:
            raise InvalidRequest(first_problem(error)) from None
        self._origins.put(origin)
        return origin


def _fields(incoming: Incoming, digest: str, signer: str) -> dict[str, str | int | bool | list[str]]:
    return {"digest": digest, "source": incoming.source, "signer": signer}
