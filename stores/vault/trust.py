"""Which certificates a server may show: the TLS context of a config."""

import asyncio
import ssl
from urllib.parse import urlsplit

from store_plugin.errors import ConfigInvalid
from store_plugin.store import Credentials
from stores.vault.spec import VaultSpec


class Trust:
    """The TLS context, made off the event loop when first needed: loading the system's
    certificates takes tens of milliseconds."""

    def __init__(self, spec: VaultSpec, credentials: Credentials) -> None:
        self.encrypted = urlsplit(spec.server).scheme == "https"
        self._credentials = credentials
        self._loading = asyncio.Lock()
        self._generation = 0
        self.context: ssl.SSLContext | None = None

    def forget(self) -> None:
        """Make a new context when one is needed again."""
        self._generation += 1
        self.context = None

    async def load(self) -> ssl.SSLContext | None:
        """One context for all who wait, as connections are kept per context; None where the
        server is spoken to in the clear. ConfigInvalid for a bundle that is none."""
        if not self.encrypted:
            return None
        async with self._loading:
            while self.context is None:
                generation = self._generation
                made = await asyncio.to_thread(_context, self._bundle())
                if generation == self._generation:
                    self.context = made
            return self.context

    def _bundle(self) -> bytes | None:
        return self._credentials.get("caBundle") if self._credentials.has("caBundle") else None


def _context(bundle: bytes | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=None if bundle is None else bundle.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ConfigInvalid("caBundle holds no PEM certificates") from None
