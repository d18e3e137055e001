"""Server certificates for TCP listeners, re-read when their files change.

The directory holds `ca.crt`, `tls.crt` and `tls.key`, as Crossplane and cert-manager fill
it. gRPC asks for the configuration at each handshake, on a thread of its own.
"""

from pathlib import Path

import grpc

from store_plugin.errors import InvalidRequest
from store_plugin.store import Logger

FILES = ("ca.crt", "tls.crt", "tls.key")
Signature = tuple[tuple[int, int, int], ...]


def server_credentials(directory: Path, log: Logger) -> grpc.ServerCredentials:
    """Mutual TLS with the certificates in `directory`; InvalidRequest where one is missing."""
    return grpc.dynamic_ssl_server_credentials(
        _configuration(directory),
        _Fetcher(directory, log),  # type: ignore[arg-type]  # it may return None: keep the last one
        require_client_authentication=True,
    )


class _Fetcher:
    """Gives gRPC a new configuration after a file changed, else None: keep the last one."""

    def __init__(self, directory: Path, log: Logger) -> None:
        self._directory = directory
        self._log = log
        self._seen = _signature(directory)

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        try:
            signature = _signature(self._directory)
            if signature == self._seen:
                return None
            configuration = _configuration(self._directory)
        except (OSError, InvalidRequest) as error:
            self._log.warning("certificates not renewed", error=str(error))
            return None
        self._seen = signature
        self._log.info("certificates renewed", directory=str(self._directory))
        return configuration


def _signature(directory: Path) -> Signature:
    found = ((directory / name).stat() for name in FILES)
    return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)


def _configuration(directory: Path) -> grpc.ServerCertificateConfiguration:
    try:
        ca, certificate, key = ((directory / name).read_bytes() for name in FILES)
    except OSError as error:
        raise InvalidRequest(
            f"TCP listeners need {', '.join(FILES)} in --certs-dir: {error.filename}: {error.strerror}"
        ) from None
    return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=ca)
