"""A store backend as a plugin: a directory is the store, and each secret a JSON file in it.

    python examples/store-backend/folder_backend.py --hub unix:///run/store-plugin/hub.sock

Nothing is encrypted: it shows how a backend is written, and is no place for real secrets.
"""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store_plugin.errors import StoreUnavailable
from store_plugin.model import ScopedName
from store_plugin.plugin import Plugin
from store_plugin.plugin.documents import DocumentStore
from store_plugin.spec import StoreSpec
from store_plugin.store import Environment


class FolderSpec(StoreSpec):
    """The `spec` of a FolderConfig, besides what every kind has."""

    directory: str


class FolderStore(DocumentStore):
    def __init__(self, directory: Path) -> None:
        super().__init__(f"folder:{directory}")
        self._directory = directory

    def load(self, name: ScopedName) -> bytes | None:
        try:
            return self._file(name).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, name: ScopedName, document: bytes | None) -> None:
        if document is None:
            self._file(name).unlink(missing_ok=True)
        else:
            draft = self._directory / "draft"
            draft.write_bytes(document)
            draft.replace(self._file(name))

    @contextmanager
    def lock(self, name: ScopedName) -> Iterator[None]:
        with (self._directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def examine(self) -> None:
        if not self._directory.is_dir():
            raise StoreUnavailable(f"the directory {self._directory} is not there", retry_after=5.0)

    def _file(self, name: ScopedName) -> Path:
        return self._directory / f"{hashlib.sha256(str(name).encode()).hexdigest()}.json"


class FolderFactory:
    spec_model = FolderSpec

    async def open(self, spec: FolderSpec, environment: Environment) -> FolderStore:
        return FolderStore(Path(spec.directory))


def main() -> None:
    plugin = Plugin("folder", "1.0")
    plugin.serve_store(FolderFactory(), api_version="backends.example.org/v1", kind="FolderConfig")
    plugin.main()


if __name__ == "__main__":
    main()
