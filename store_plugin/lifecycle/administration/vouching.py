"""Whether somebody vouches for what is about to run, by the keys that are trusted at that moment.

An executable is checked when it comes in, and may run for years after. A key that was taken from the
trusted ones since, because it was stolen perhaps, must not go on deciding what starts, nor what runs.
"""

import asyncio
import hashlib
import os

from store_plugin.errors import PluginUntrusted, StoreUnavailable, Tampered
from store_plugin.lifecycle.administration.origins import Origins
from store_plugin.lifecycle.administration.settings import read_settings
from store_plugin.lifecycle.administration.trust import TrustedKeys
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.catalog import Catalog
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.registration import Registration
from store_plugin.trust import Signer, Untrusted, key_files, verified


class Vouching:
    """For the executables of one plugins directory."""

    def __init__(self, layout: Layout, audit: AuditLog) -> None:
        self._layout = layout
        self._origins = Origins(layout)
        self._content = ContentStore(layout.content)
        self._keys = TrustedKeys(layout, audit)

    async def check(self, registration: Registration) -> None:
        """PluginUntrusted where a signature is demanded, by the directory or because there was a good
        one when it was registered, and no trusted key has made it. Tampered, StoreUnavailable."""
        await asyncio.to_thread(self.check_now, registration)

    async def ground(self) -> str:
        """Stands for the keys and the rule that `check` goes by: another text where they have changed.
        Never empty."""
        return await asyncio.to_thread(self._ground)

    def check_now(self, registration: Registration) -> None:
        """The same as `check`. Blocking."""
        if not registration.signer and not read_settings(self._layout).require_signature:
            return
        origin = self._origins.get(registration.digest)
        if origin is None or origin.signature is None:
            raise PluginUntrusted(
                "signatures are required in this plugins directory, and it has none: "
                "install it again with --signature FILE, then 'store-plugin plugin restart'"
            )
        try:
            verified(self._bytes(registration.digest), origin.signature.encode(), self._trusted())
        except Untrusted as error:
            signer = f" It was signed by {registration.signer}." if registration.signer else ""
            raise PluginUntrusted(
                f"no trusted key vouches for it: {error}.{signer} Update to a version that one has signed, "
                "or 'store-plugin plugin trust add KEY'"
            ) from None

    def _trusted(self) -> list[Signer]:
        """A file among the keys that is none says nothing about the plugin. Tampered."""
        try:
            return self._keys.list()
        except PluginUntrusted as error:
            raise Tampered(error.message) from None

    def _ground(self) -> str:
        found = hashlib.sha256()
        for file in (self._layout.settings, *key_files(self._layout.trusted_keys)):
            try:
                content = file.read_bytes()
            except OSError as error:  # that is another ground, too
                content = str(error.errno).encode()
            found.update(b"%d %s %d %s" % (len(file.name), os.fsencode(file.name), len(content), content))
        return found.hexdigest()

    def _bytes(self, digest: str) -> bytes:
        """Of the very executable: what is verified here is what the keeper takes, or neither is."""
        try:
            content = self._content.path(digest).read_bytes()
        except OSError as error:
            raise StoreUnavailable(f"the executable cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise PluginUntrusted("the executable is not the one that was registered")
        return content


def unvouched(layout: Layout) -> list[tuple[Registration, str]]:
    """What is to run and must not, each with the reason. Tampered, StoreUnavailable. Blocking."""
    vouching, found = Vouching(layout, AuditLog(layout.audit)), []
    for enabled in Catalog(layout.catalog).enabled().values():
        try:
            vouching.check_now(enabled.registration)
        except PluginUntrusted as error:
            found.append((enabled.registration, error.message))
    return found
