"""Which certificates a server may show, and which one it is shown: the TLS context of a config."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
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
        self._last: _Made | None = None
        self._current: _Made | None = None

    def forget(self) -> None:
        """Make a new context when one is needed again."""
        self._generation += 1
        self._current = None

    async def load(self) -> ssl.SSLContext | None:
        """For a new connection; one context for all who wait, as connections are kept per
        context; None where the server is spoken to in the clear. ConfigInvalid for a bundle
        that is none, and for a client certificate that cannot be shown, or no longer."""
        if not self.encrypted:
            return None
        made = self._current or await self._loaded()
        made.check_time()
        return made.context

    async def _loaded(self) -> "_Made":
        async with self._loading:
            while self._current is None:
                generation = self._generation
                made = await self._made()
                if generation == self._generation:
                    self._current = self._last = made
            return self._current

    async def _made(self) -> "_Made":
        """What does not work leaves the context before in use: of a certificate and its key
        one may be seen to change before the other."""
        try:
            return await asyncio.to_thread(_make, self._bundle(), self._pair())
        except ConfigInvalid as problem:
            if self._last is None:
                raise
            self._log.warning("vault_certificates_not_renewed", error=problem.message)
            return self._last

    async def cause(self, error: BaseException, host: str, port: int, server_name: str) -> BaseException:
        """What the server has against our certificate, where that may be why it broke a
        connection off with `error`; else `error`."""
        if self._current is None or not isinstance(error, ConnectionError):
            return error
        return await objection(host, port, self._current.context, server_name) or error

    def _bundle(self) -> bytes | None:
        return self._credentials.get("caBundle") if self._credentials.has("caBundle") else None

    def _pair(self) -> tuple[bytes, bytes] | None:
        if not self._shows_certificate:
            return None
        return (
            self._credentials.get("clientCertificate.certificate"),
            self._credentials.get("clientCertificate.key"),
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """A context, and until when what it shows may be shown."""

    context: ssl.SSLContext
    until: datetime | None = None

    def check_time(self) -> None:
        if self.until:
            from stores.vault.http.client_certificate import check_not_over

            check_not_over(self.until)


def _make(bundle: bytes | None, pair: tuple[bytes, bytes] | None) -> _Made:
    try:
        context = ssl.create_default_context(cadata=None if bundle is None else bundle.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ConfigInvalid("caBundle holds no PEM certificates") from None
    if pair is None:
        return _Made(context)
    # Nobody else pays for what it imports.
    from stores.vault.http.client_certificate import show

    return _Made(context, show(context, *pair))
