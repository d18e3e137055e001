"""Which certificates a server may show, and which one it is shown: the TLS context of a config."""

import asyncio
import ssl
from urllib.parse import urlsplit

from store_plugin.errors import ConfigInvalid
from store_plugin.store import Environment
from stores.vault.http.handshake import objection
from stores.vault.spec import VaultSpec


class Trust:
    """The TLS context, made off the event loop when first needed: loading the system's
    certificates takes tens of milliseconds."""

    def __init__(self, spec: VaultSpec, environment: Environment) -> None:
        self.encrypted = urlsplit(spec.server).scheme == "https"
        self._shows_certificate = spec.client_certificate is not None
        self._credentials = environment.credentials
        self._log = environment.log
        self._loading = asyncio.Lock()
        self._generation = 0
        self._last: ssl.SSLContext | None = None
        self.context: ssl.SSLContext | None = None

    def forget(self) -> None:
        """Make a new context when one is needed again."""
        self._generation += 1
        self.context = None

    async def load(self) -> ssl.SSLContext | None:
        """One context for all who wait, as connections are kept per context; None where the
        server is spoken to in the clear. ConfigInvalid for a bundle that is none, and for a
        client certificate that cannot be shown."""
        if not self.encrypted:
            return None
        async with self._loading:
            while self.context is None:
                generation = self._generation
                made = await self._made()
                if generation == self._generation:
                    self.context = self._last = made
            return self.context

    async def _made(self) -> ssl.SSLContext:
        """What does not work leaves the context before in use: of a certificate and its key
        one may be seen to change before the other."""
        try:
            return await asyncio.to_thread(_context, self._bundle(), self._pair())
        except ConfigInvalid as problem:
            if self._last is None:
                raise
            self._log.warning("vault_certificates_not_renewed", error=problem.message)
            return self._last

    async def cause(self, error: BaseException, host: str, port: int, server_name: str) -> BaseException:
        """What the server has against our certificate, where that may be why it broke a
        connection off with `error`; else `error`."""
        if self.context is None or not isinstance(error, ConnectionError):
            return error
        return await objection(host, port, self.context, server_name) or error

    def _bundle(self) -> bytes | None:
        return self._credentials.get("caBundle") if self._credentials.has("caBundle") else None

    def _pair(self) -> tuple[bytes, bytes] | None:
        if not self._shows_certificate:
            return None
        return (
            self._credentials.get("clientCertificate.certificate"),
            self._credentials.get("clientCertificate.key"),
        )


def _context(bundle: bytes | None, pair: tuple[bytes, bytes] | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=None if bundle is None else bundle.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ConfigInvalid("caBundle holds no PEM certificates") from None
    if pair:
        # Nobody else pays for what it imports.
        from stores.vault.http.client_certificate import show

        show(context, *pair)
    return context
