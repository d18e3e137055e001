"""The CA's certificates as gRPC servers take them: asked for anew at each handshake."""

import grpc

from store_plugin.errors import StorePluginError
from store_plugin.lifecycle.enrolment.authority import Authority, ServerIdentity
from store_plugin.log import Logger


def server_credentials(authority: Authority, log: Logger, *, plugins_only: bool) -> grpc.ServerCredentials:
    """TLS with a certificate of the CA. `plugins_only`: who shows none of its own is not let in.
    Blocking; raises what `Authority.server` raises."""
    fetcher = _Fetcher(authority, log)
    return grpc.dynamic_ssl_server_credentials(
        _configuration(fetcher.shown),
        fetcher,  # type: ignore[arg-type]  # it may return None: keep the last one
        require_client_authentication=plugins_only,
    )


class _Fetcher:
    """Runs on gRPC's threads."""

    def __init__(self, authority: Authority, log: Logger) -> None:
        self._authority = authority
        self._log = log
        self.shown = authority.server()

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        try:
            identity = self._authority.server()
        except StorePluginError as error:
            self._log.warning("the plugins' CA cannot be used, the last ones stay", error=error.message)
            return None
        if identity == self.shown:
            return None
        self.shown = identity
        self._log.info("certificate of the plugins' listeners renewed", signer=identity.signer)
        return _configuration(identity)


def _configuration(identity: ServerIdentity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key, identity.certificate)], root_certificates=identity.trusted
    )
