"""Server certificates of TCP listeners, re-read when their files change.

The directory holds `ca.crt`, `tls.crt` and `tls.key`, as Crossplane and cert-manager fill
it. gRPC asks for the configuration at each handshake, on a thread of its own. Files are
replaced one after the other, so what does not fit together is not handed on.
"""

from pathlib import Path
from typing import TypeAlias

import grpc

from store_plugin.errors import InvalidRequest
from store_plugin.log import Logger
from store_plugin.signatures import Signature, lasting, signature_of

FILES = ("ca.crt", "tls.crt", "tls.key")
_Look: TypeAlias = tuple[Signature | None, ...]
_Material: TypeAlias = tuple[bytes, ...]
"""What the files hold, in the order of FILES."""


def server_credentials(
    directory: Path, log: Logger, *, client_certificates: bool = True
) -> grpc.ServerCredentials:
    """TLS with the certificates in `directory`, mutual unless callers prove who they are in
    another way; InvalidRequest where one is missing or key and certificate are no pair."""
    fetcher = _Fetcher(directory, log)
    return grpc.dynamic_ssl_server_credentials(
        fetcher.configuration,
        fetcher,  # type: ignore[arg-type]  # it may return None: keep the last one
        require_client_authentication=client_certificates,
    )


class _Fetcher:
    """Gives gRPC a new configuration after a file changed, else None: keep the last one."""

    def __init__(self, directory: Path, log: Logger) -> None:
        self._directory = directory
        self._log = log
        self._problem = ""
        # Looked at before they are read: what changes in between shows at the next look.
        self._seen = _look(directory)
        self._material = read_material(directory)

    @property
    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """The certificates read last."""
        ca, certificate, key = self._material
        return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=ca)

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        seen = _look(self._directory)
        if seen == self._seen and None not in seen:
            return None
        try:
            material = read_material(self._directory)
        except InvalidRequest as problem:
            self._keep_last(problem.message)
            return None
        renewed = material != self._material
        self._seen, self._material, self._problem = seen, material, ""
        if not renewed:
            return None
        self._log.info("certificates renewed", directory=str(self._directory))
        return self.configuration

    def _keep_last(self, problem: str) -> None:
        """Say it once; the files are read again at the next handshake."""
        if problem != self._problem:
            self._problem = problem
            self._log.warning("certificates not renewed, the last ones stay in use", problem=problem)


def _look(directory: Path) -> _Look:
    """What tells a change of the files; None for one that has to be read to know."""
    return tuple(_signature(directory / name) for name in FILES)


def _signature(path: Path) -> Signature | None:
    try:
        return lasting(signature_of(path))
    except OSError:
        return None


def read_material(directory: Path) -> _Material:
    """InvalidRequest unless all files are there and fit together."""
    try:
        material = tuple((directory / name).read_bytes() for name in FILES)
    except OSError as error:
        raise InvalidRequest(
            f"a TCP listener needs {', '.join(FILES)} in {directory}: {error.filename}: {error.strerror}"
        ) from None
    _check(material, directory)
    return material


def _check(material: _Material, directory: Path) -> None:
    # Only TCP listeners need this library, which takes memory.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate, load_pem_x509_certificates

    ca, certificate, key = material
    try:
        load_pem_x509_certificates(ca)
        shown = load_pem_x509_certificate(certificate).public_key()
        fits = load_pem_private_key(key, password=None).public_key() == shown
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: the key needs a password
        raise InvalidRequest(f"{', '.join(FILES)} in {directory} are not all plain PEM") from None
    if not fits:
        raise InvalidRequest(f"the key and the certificate in {directory} do not belong together")
