"""Client certificates as files, which is the only form that TLS libraries of Python take.

Each cluster has one file, with the certificate and its key, readable by us alone, in a directory
of our own. A renewed pair replaces it in one step, so that a connection never sees half of it.
The directory goes with whoever made it, at the latest when the process ends.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from store_plugin.access.exec_credential import ExecStatus
from store_plugin.errors import StoreUnavailable


class CertificateFiles:
    """The files of one consumer. Blocking, for any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._directory: TemporaryDirectory[str] | None = None
        self._closed = False

    def write(self, name: str, status: ExecStatus) -> Path:
        """The file of the cluster `name` with this certificate and key in it. StoreUnavailable after
        `close`: nobody would remove it."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the access config was closed")
            if self._directory is None:
                self._directory = TemporaryDirectory(prefix="store-plugin-access-")
            path = Path(self._directory.name) / f"{name}.pem"
            renewed = path.with_suffix(".renewed")
            descriptor = os.open(renewed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(status.certificate.rstrip() + b"\n" + status.key.rstrip() + b"\n")
            renewed.replace(path)
            return path

    def remove(self, name: str) -> None:
        """The cluster's file; nothing where there is none."""
        with self._lock:
            if self._directory is not None:
                (Path(self._directory.name) / f"{name}.pem").unlink(missing_ok=True)

    def close(self) -> None:
        """Remove them all, for good."""
        with self._lock:
            self._closed = True
            if self._directory is not None:
                self._directory.cleanup()
                self._directory = None
