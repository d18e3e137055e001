"""Client certificates as files, which is the only form that TLS libraries of Python take.

Each login has one file, with the certificate and its key, readable by us alone, in a directory
of our own. A renewed pair replaces it in one step, so that a connection never sees half of it.
A file goes with the last who has it: a client reads it anew for each connection, also one whose
login was forgotten meanwhile. The directory goes with whoever made it, at the latest when the
process ends.
"""

import os
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from store_plugin.access.exec_credential import ExecStatus
from store_plugin.errors import StoreUnavailable


class CertificateFiles:
    """The files of one consumer. Blocking, for any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count()
        self._directory: TemporaryDirectory[str] | None = None
        self._closed = False

    def file(self) -> "CertificateFile":
        """For one login; nothing is written yet."""
        return CertificateFile(self, str(next(self._numbers)))

    def write(self, name: str, status: ExecStatus) -> Path:
        """The file `name` with this certificate and key in it. StoreUnavailable after `close`:
        nobody would remove it."""
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

    def close(self) -> None:
        """Remove them all, for good."""
        with self._lock:
            self._closed = True
            if self._directory is not None:
                self._directory.cleanup()
                self._directory = None


class CertificateFile:
    """One login's file. Removed when nobody holds this any more."""

    def __init__(self, files: CertificateFiles, name: str) -> None:
        self._files = files
        self._name = name
        self._path: Path | None = None

    def write(self, status: ExecStatus) -> Path:
        """As `CertificateFiles.write`."""
        self._path = self._files.write(self._name, status)
        return self._path

    def remove(self) -> None:
        """Nothing where there is none. Takes no lock: the interpreter calls it in the midst of anything."""
        if self._path is not None:
            try:
                self._path.unlink(missing_ok=True)
            except OSError:  # its directory goes too
                pass

    __del__ = remove
